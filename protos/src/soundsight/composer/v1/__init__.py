"""Generated code of the contracts in soundsight.composer.v1."""
