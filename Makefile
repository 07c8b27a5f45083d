# For habit's sake; the scripts are the real thing.
.PHONY: bench vllm test fast lint site lock lock-card

bench:
	bash scripts/bench_local.sh

vllm: # the environment of the lane vllm
	bash scripts/bench_vllm.sh --install

test:
	bash scripts/test.sh

fast:
	bash scripts/test.sh --fast

lint:
	bash scripts/test.sh --lint

site: # the documents as pages, in site/
	bash scripts/site.sh

lock: # uv (pip install uv) resolves for every Python from 3.10 on
	cd requirements && for name in local compare test ngc image site fleet; do \
	  case $$name in \
	    compare | test) constraint="-c local.lock" ;; \
	    fleet) constraint="-c local.lock -c compare.lock" ;; \
	    *) constraint= ;; \
	  esac; \
	  given="--override provided.txt $$([ $$name != image ] || echo "--override provided-by-image.txt")"; \
	  { echo "# Made from $$name.in by: make lock"; uv pip compile -q --universal --python-version 3.10 --no-header --no-annotate $$constraint $$given $$name.in; } > $$name.lock.new && mv $$name.lock.new $$name.lock; done
	$(MAKE) lock-card

lock-card: # for a card: with hashes, for Linux; the same versions as in local.lock, but for vllm, which has its own mind
	cd requirements && for name in cuda-torch cuda onnxruntime-cuda vllm; do \
	  python=$$([ $$name = onnxruntime-cuda ] || [ $$name = vllm ] && echo 3.11 || echo 3.10); \
	  case $$name in \
	    cuda-torch) given="-c local.lock" ;; \
	    onnxruntime-cuda) given="-c local.lock -c cuda-torch.lock --override provided.txt" ;; \
	    vllm) given= ;; \
	    *) given="-c local.lock --override provided.txt" ;; \
	  esac; \
	  { echo "# Made from $$name.in by: make lock"; uv pip compile -q --universal --python-version $$python --generate-hashes --no-header --no-annotate $$given $$name.in; } > $$name.lock.new && mv $$name.lock.new $$name.lock || exit; done
