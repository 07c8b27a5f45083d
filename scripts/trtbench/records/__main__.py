"""`python -m trtbench.records` prints the JSON Schema of a trial's record, docs/schema/trial-2.json."""

from trtbench.records.trial import json_schema

if __name__ == "__main__":
    print(json_schema().decode(), end="")
