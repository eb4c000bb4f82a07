"""One module a family of models, which is named as `model_type` in its `config.json`.

Each holds one record, `FAMILY`; a module more is a family more.
"""
