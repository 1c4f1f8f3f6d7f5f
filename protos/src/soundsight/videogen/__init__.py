"""Generated code of the contracts in soundsight.videogen."""
