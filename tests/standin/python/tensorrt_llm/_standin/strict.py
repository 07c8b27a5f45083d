"""Configuration classes built from the contract: an unknown field or a wrong type fails as pydantic does."""

from __future__ import annotations

import os
from typing import Any

FACTORY = "factory"


class ValidationError(ValueError):
    """Takes the place of pydantic's class of this name, which is a ValueError too."""


class FieldInfo:
    """What a probe may ask of a pydantic field: its default and whether it is required."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.annotation = row["type"]
        self.default = row["default"]
        self._required = bool(row.get("required"))

    def is_required(self) -> bool:
        """Tell whether the field has no default."""
        return self._required

    def get_default(self, *, call_default_factory: bool = False) -> Any:
        """Return the default; a factory's product is not made here."""
        return None if self.default == FACTORY else self.default


_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "str": (str,),
    "list": (list, tuple),
    "dict": (dict,),
    "path": (os.PathLike,),
    "none": (type(None),),
}


def _fits(value: Any, names: list[str]) -> bool:
    for name in names:
        if name == "any" or (name not in _TYPES and type(value).__name__ == name):
            return True
        if (
            name in _TYPES
            and isinstance(value, _TYPES[name])
            and not (isinstance(value, bool) and name in ("int", "float"))
        ):
            return True
    return False


class StrictModel:
    """Base of the configuration classes; a subclass sets `model_fields` and `_rows` through `model`."""

    model_fields: dict[str, FieldInfo]
    _rows: dict[str, dict[str, Any]]
    _nested: dict[str, type[StrictModel]]

    def __init__(self, **values: Any) -> None:
        problems = [
            (
                name,
                f"Extra inputs are not permitted [type=extra_forbidden, input_value={value!r}, "
                f"input_type={type(value).__name__}]",
            )
            for name, value in values.items()
            if name not in self._rows
        ]
        for name, row in self._rows.items():
            if name not in values and row.get("required"):
                problems.append((name, "Field required [type=missing]"))
                continue
            value = values.get(name, row["default"])
            names = row["type"].split("|")
            nested = next((self._nested[part] for part in names if part in self._nested), None)
            if nested is not None and (isinstance(value, dict) or (name not in values and value == FACTORY)):
                value = nested(**(value if isinstance(value, dict) else {}))
            problems += [(name, text) for text in self._check(row, names, value)]
            object.__setattr__(self, name, value)
        if problems:
            kind = type(self).__name__
            text = "\n".join(f"{name}\n  {why}" for name, why in problems)
            raise ValidationError(f"{len(problems)} validation error{'s' * (len(problems) > 1)} for {kind}\n{text}")

    @staticmethod
    def _check(row: dict[str, Any], names: list[str], value: Any) -> list[str]:
        if not _fits(value, names):
            return [
                f"Input should be a valid {' or '.join(names)} [type=type_error, input_value={value!r}, "
                f"input_type={type(value).__name__}]"
            ]
        if "choices" in row and value not in row["choices"]:
            return [f"Input should be one of {row['choices']} [type=literal_error, input_value={value!r}]"]
        low, high = row.get("range", (None, None))
        if value is not None and ((low is not None and value < low) or (high is not None and value > high)):
            return [f"Value error, must be in [{low}, {high}] [type=value_error, input_value={value!r}]"]
        return []

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._rows:
            raise ValueError(f'"{type(self).__name__}" object has no field "{name}"')
        object.__setattr__(self, name, value)

    def model_dump(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        dumped = {name: getattr(self, name) for name in self._rows}
        return {name: value.model_dump() if isinstance(value, StrictModel) else value for name, value in dumped.items()}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self._rows)})"


def model(
    name: str, module: str, rows: dict[str, dict[str, Any]], nested: tuple[type[StrictModel], ...] = ()
) -> type[StrictModel]:
    """Make a configuration class from the contract's rows."""
    body = {
        "model_fields": {field: FieldInfo(row) for field, row in rows.items()},
        "_rows": rows,
        "_nested": {kind.__name__: kind for kind in nested},
        "__module__": module,
    }
    return type(name, (StrictModel,), body)
