"""Generated code of the contracts in soundsight.common.v1."""
