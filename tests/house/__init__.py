"""The house's own rules, checked: source form, import contracts, locked requirements, coverage floors.

What a linter already checks is left to the linter (ruff, mypy, import-linter: see pyproject.toml).
"""
