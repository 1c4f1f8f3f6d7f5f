{{/* vLLM reads its own variables, which `extraEnv` may set; its caches go where it may write. */}}
{{- define "soundsight.env.vllm" }}
- name: HOME
  value: /tmp
{{- end -}}

{{/* How vLLM is started. Takes root and c. */}}
{{- define "soundsight.vllmCommand" -}}
command: [vllm, serve]
args:
  - {{ .c.spec.model | quote }}
  - "--host={{ .root.Values.listenAddress }}"
  - --port={{ .c.port }}
  {{- range .c.spec.args }}
  - {{ . | quote }}
  {{- end }}
{{- end -}}

{{/* How a service reaches its language model, here or elsewhere. Takes root, model and prefix. */}}
{{- define "soundsight.env.model" }}
{{- $model := index .root.Values.vllm .model }}
{{- $url := $model.externalUrl }}
{{- if $model.enabled }}
{{- $url = printf "http://%s/v1" (include "soundsight.address" (dict "root" .root "name" (printf "vllm-%s" .model) "port" 8000)) }}
{{- end }}
{{- if $url }}
- name: {{ .prefix }}_URL
  value: {{ $url | quote }}
- name: {{ .prefix }}_MODEL
  value: {{ $model.model | quote }}
{{- with $model.apiKey.existingSecret }}
{{- include "soundsight.env.secret" (dict "name" (printf "%s_API_KEY" $.prefix) "secret" . "key" $model.apiKey.key) }}
{{- end }}
{{- end }}
{{- end -}}
