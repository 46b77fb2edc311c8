"""A tiny LoRA experiment: what two groups of settings cost a very small language model.

Only `trainlint.cli.verify` imports this package. Nothing of torch is imported before an experiment runs, and the modules
`settings`, `text`, `verdict` and `report` never import it.
"""
