{{/* The analyzer's variables: the audio model that writes concepts. Takes root and c. */}}
{{- define "soundsight.env.analyzer" }}
{{- if .c.spec.modelCache.enabled }}
- name: SOUNDSIGHT_ANALYZER_MODELS_DIR
  value: /models
{{- end }}
{{- include "soundsight.env.model" (dict "root" .root "model" "concept" "prefix" "SOUNDSIGHT_ANALYZER_CONCEPT") }}
{{- end -}}
