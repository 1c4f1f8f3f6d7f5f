"""Generated code of the contracts in soundsight.scenewriter.v1."""
