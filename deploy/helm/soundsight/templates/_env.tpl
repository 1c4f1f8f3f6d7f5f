{{/* The variables of a component's container. Takes root and c. */}}
{{- define "soundsight.env" -}}
{{- if ne .c.service "vllm" }}
{{- include "soundsight.env.common" . }}
{{- if include "soundsight.usesArtifacts" . }}
{{- include "soundsight.env.artifacts" .root }}
{{- end }}
{{- end }}
{{- if include "soundsight.usesModels" . }}
- name: HF_HOME
  value: /models/hub
{{- end }}
{{- include (printf "soundsight.env.%s" .c.service) . }}
{{- range $name, $value := .c.spec.settings }}
- name: {{ $name }}
  value: {{ include "soundsight.text" $value | quote }}
{{- end }}
{{- with .c.spec.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The host in the addresses that services listen on. Takes root. */}}
{{- define "soundsight.listenHost" -}}
{{- ternary "[::]" .root.Values.listenAddress (eq .root.Values.listenAddress "::") -}}
{{- end -}}

{{/* What every service is told. */}}
{{- define "soundsight.env.common" -}}
- name: SOUNDSIGHT_LISTEN
  value: {{ printf "%s:%v" (include "soundsight.listenHost" .) .c.port | quote }}
- name: SOUNDSIGHT_METRICS_LISTEN
  value: {{ printf "%s:%v" (include "soundsight.listenHost" .) (include "soundsight.ports" . | fromYaml).metrics | quote }}
- name: SOUNDSIGHT_LOG_FORMAT
  value: json
- name: SOUNDSIGHT_DRAIN_GRACE_S
  value: {{ .c.spec.drainGraceSeconds | quote }}
{{- with .root.Values.tracing.endpoint }}
- name: SOUNDSIGHT_OTLP_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- if .root.Values.tls.enabled }}
{{- include "soundsight.env.tls" (or (ne .c.service "gateway") .root.Values.tls.gatewayClientCertificates) }}
{{- end }}
{{- end -}}

{{/* Where the certificate lies. Takes whether clients must show one too. */}}
{{- define "soundsight.env.tls" }}
- name: SOUNDSIGHT_TLS_CERTIFICATE
  value: /etc/soundsight/tls/tls.crt
- name: SOUNDSIGHT_TLS_KEY
  value: /etc/soundsight/tls/tls.key
- name: SOUNDSIGHT_TLS_SERVER_CA
  value: /etc/soundsight/tls/ca.crt
{{- if . }}
- name: SOUNDSIGHT_TLS_CLIENT_CA
  value: /etc/soundsight/tls/ca.crt
{{- end }}
{{- end -}}

{{/* Where files of renders are. Takes the root. */}}
{{- define "soundsight.env.artifacts" }}
{{- $values := .Values.artifacts }}
- name: SOUNDSIGHT_ARTIFACTS_URL
  {{- if eq $values.kind "s3" }}
  value: {{ $values.s3.url | quote }}
  {{- else if eq $values.kind "bundled" }}
  value: s3://soundsight
  {{- else }}
  value: file:///var/lib/soundsight/artifacts
  {{- end }}
{{- if eq $values.kind "s3" }}
- name: AWS_REGION
  value: {{ $values.s3.region }}
{{- with $values.s3.endpoint }}
- name: AWS_ENDPOINT_URL
  value: {{ . | quote }}
{{- end }}
{{- with $values.s3.existingSecret }}
{{- include "soundsight.env.keys" . }}
{{- end }}
{{- else if eq $values.kind "bundled" }}
- name: AWS_REGION
  value: us-east-1
- name: AWS_ENDPOINT_URL
  value: http://{{ include "soundsight.address" (dict "root" . "name" "objectstore" "port" 8333) }}
{{- include "soundsight.env.keys" (include "soundsight.name" (dict "root" . "name" "objectstore")) }}
{{- end }}
{{- end -}}

{{/* The keys of the object store. Takes the name of their secret. */}}
{{- define "soundsight.env.keys" }}
{{- range $name := list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef:
      name: {{ $ }}
      key: {{ $name }}
{{- end }}
{{- end -}}

{{/* A variable from a secret. Takes name, secret and key. */}}
{{- define "soundsight.env.secret" }}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end -}}
