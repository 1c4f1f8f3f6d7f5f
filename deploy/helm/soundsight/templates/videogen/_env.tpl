{{/* Videogen's variables: the models to film with. Takes root and c. */}}
{{- define "soundsight.env.videogen" }}
{{- with .c.spec.models }}
- name: SOUNDSIGHT_VIDEOGEN_MODELS
  value: {{ join "," . | quote }}
{{- end }}
{{- with .c.spec.revision }}
- name: SOUNDSIGHT_VIDEOGEN_DIFFUSION_REVISION
  value: {{ . | quote }}
{{- end }}
{{- /* Scenes of a pool that is scaled wait at the gateway, for whichever pod is ready first. */}}
{{- if and .c.spec.keda.enabled (not (hasKey .c.spec.settings "SOUNDSIGHT_VIDEOGEN_QUEUE_LIMIT")) }}
- name: SOUNDSIGHT_VIDEOGEN_QUEUE_LIMIT
  value: "0"
{{- end }}
{{- include "soundsight.env.hubToken" .c.spec }}
{{- end -}}

{{/* The token of the hub. Takes a pool's values. */}}
{{- define "soundsight.env.hubToken" }}
{{- with .hubToken.existingSecret }}
{{- include "soundsight.env.secret" (dict "name" "HF_TOKEN" "secret" . "key" $.hubToken.key) }}
{{- end }}
{{- end -}}
