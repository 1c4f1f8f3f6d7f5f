{{/* The scene writer's variables: the model that writes scenes. Takes root and c. */}}
{{- define "soundsight.env.scenewriter" }}
{{- include "soundsight.env.model" (dict "root" .root "model" "script" "prefix" "SOUNDSIGHT_SCENEWRITER_LLM") }}
{{- end -}}
