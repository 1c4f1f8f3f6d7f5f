"""Generated code of the contracts in soundsight.keda."""
