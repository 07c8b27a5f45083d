# For habit's sake; the scripts are the real thing.
.PHONY: bench test fast lint lock

bench:
	bash scripts/bench_local.sh

test:
	bash scripts/test.sh

fast:
	bash scripts/test.sh --fast

lint:
	bash scripts/test.sh --lint

lock: # uv (pip install uv) resolves for every Python from 3.10 on
	cd requirements && for name in local compare test ngc image; do \
	  constraint=$$([ $$name = compare ] || [ $$name = test ] && echo "-c local.lock"); \
	  given="--override provided.txt $$([ $$name != image ] || echo "--override provided-by-image.txt")"; \
	  { echo "# Made from $$name.in by: make lock"; uv pip compile -q --universal --python-version 3.10 --no-header --no-annotate $$constraint $$given $$name.in; } > $$name.lock.new && mv $$name.lock.new $$name.lock; done
