"""Generated code of the contracts in soundsight.analyzer.v1."""
