{{/* What of the gateway is for callers from outside. */}}

{{/* Services; KEDA's scaler is not among them. */}}
{{- define "soundsight.publicServices" -}}
- soundsight.render.v1.RenderService
- soundsight.render.v1.ArtifactService
- soundsight.common.v1.ImplementationService
- grpc.health.v1.Health
- grpc.reflection.v1alpha.ServerReflection
{{- end -}}

{{/* Their paths, as in an Ingress. */}}
{{- define "soundsight.publicPaths.grpc" -}}
{{- range include "soundsight.publicServices" . | fromYamlArray }}
- {path: /{{ . }}, pathType: Prefix}
{{- end }}
{{- end -}}

{{/* Paths of HTTP; health is the cluster's own business. */}}
{{- define "soundsight.publicPaths.http" -}}
- {path: /v1, pathType: Prefix}
- {path: /openapi.json, pathType: Exact}
{{- end -}}

{{/* Whether a component answers HTTP beside gRPC. Takes c. */}}
{{- define "soundsight.servesHttp" -}}
{{- if and (eq .c.service "gateway") .c.spec.http.enabled -}}true{{- end -}}
{{- end -}}
