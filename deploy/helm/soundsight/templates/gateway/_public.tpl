{{/* The services of the gateway that are for callers from outside; KEDA's scaler is not among them. */}}
{{- define "soundsight.publicServices" -}}
- soundsight.render.v1.RenderService
- soundsight.render.v1.ArtifactService
- soundsight.common.v1.ImplementationService
- grpc.health.v1.Health
- grpc.reflection.v1alpha.ServerReflection
{{- end -}}
