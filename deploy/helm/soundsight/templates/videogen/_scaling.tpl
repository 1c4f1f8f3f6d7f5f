{{/* Where KEDA finds the gateway: it lives in a namespace of its own. Takes the root. */}}
{{- define "soundsight.scalerAddress" -}}
{{- if .Values.gateway.enabled -}}
{{- printf "%s.%s.svc:%v" (include "soundsight.name" (dict "root" . "name" "gateway")) .Release.Namespace .Values.gateway.service.port -}}
{{- else -}}
{{- .Values.gateway.externalAddress -}}
{{- end -}}
{{- end -}}

{{/* Whether KEDA scales any pool. Takes the root. */}}
{{- define "soundsight.usesKeda" -}}
{{- range include "soundsight.components" . | fromJsonArray -}}
{{- if and .pool .spec.keda.enabled -}}true{{- end -}}
{{- end -}}
{{- end -}}
