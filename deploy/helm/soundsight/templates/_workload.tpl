{{/* Workloads and Services, as all components have them. */}}

{{/* The Deployment of a component. Takes root and c. */}}
{{- define "soundsight.deployment" -}}
{{- $named := dict "root" .root "name" .c.name -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "soundsight.name" $named }}
  labels:
    {{- include "soundsight.labels" $named | nindent 4 }}
spec:
  {{- if not (include "soundsight.isScaled" .) }}
  replicas: {{ .c.spec.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  {{- $strategy := include "soundsight.updateStrategy" . }}
  progressDeadlineSeconds: {{ include "soundsight.progressSeconds" (dict "c" .c "strategy" $strategy) }}
  {{- with $strategy }}
  strategy:
    {{- . | nindent 4 }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "soundsight.selector" $named | nindent 6 }}
  template:
    {{- include "soundsight.podTemplate" . | nindent 4 }}
{{- end -}}

{{/*
How the pods of a Deployment are replaced: as it is told, and otherwise one for one where a pod holds
what its successor needs, a device or a volume of one node. Takes c.
*/}}
{{- define "soundsight.updateStrategy" -}}
{{- if .c.spec.updateStrategy -}}
{{- toYaml .c.spec.updateStrategy -}}
{{- else if or .c.spec.gpus .c.spec.deviceClaims (include "soundsight.modelsOnOneNode" .) -}}
type: RollingUpdate
rollingUpdate: {maxSurge: 0, maxUnavailable: 25%}
{{- end -}}
{{- end -}}

{{/*
Seconds within which a rollout makes progress: a pod may wait for its models, and where it is not put
beside its predecessor, for that one's last clip too. Takes c and strategy.
*/}}
{{- define "soundsight.progressSeconds" -}}
{{- $strategy := .strategy | fromYaml -}}
{{- $surge := dig "rollingUpdate" "maxSurge" "25%" $strategy | toString -}}
{{- $waits := or (eq (get $strategy "type") "Recreate") (has $surge (list "0" "0%")) -}}
{{- $before := ternary (include "soundsight.terminationSeconds" .) "0" $waits | int64 -}}
{{- add .c.spec.probes.startupSeconds $before 600 -}}
{{- end -}}

{{/*
The Service of a component. Takes root and c. It has no address of its own: callers see the pods, so
that their calls are spread over them rather than all going where the first connection went.
*/}}
{{- define "soundsight.headlessService" -}}
{{- $named := dict "root" .root "name" .c.name -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "soundsight.name" $named }}
  labels:
    {{- include "soundsight.labels" $named | nindent 4 }}
spec:
  clusterIP: None
  selector:
    {{- include "soundsight.selector" $named | nindent 4 }}
  ports:
    {{- include "soundsight.servicePorts" . | nindent 4 }}
{{- end -}}

{{/* Ports of a component's Service. Takes root and c. */}}
{{- define "soundsight.servicePorts" -}}
- name: grpc
  port: {{ .c.port }}
  targetPort: grpc
  {{- if not .root.Values.tls.enabled }}
  appProtocol: kubernetes.io/h2c
  {{- end }}
- name: metrics
  port: {{ (include "soundsight.ports" . | fromYaml).metrics }}
  targetPort: metrics
{{- end -}}

{{/* The claim of a component's models, where the chart makes it. Takes root and c. */}}
{{- define "soundsight.modelCacheClaim" -}}
{{- $named := dict "root" .root "name" .c.name -}}
{{- with .c.spec.modelCache -}}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ include "soundsight.modelClaim" $ }}
  labels:
    {{- include "soundsight.labels" $named | nindent 4 }}
spec:
  accessModes: {{ toJson .accessModes }}
  {{- with .storageClass }}
  storageClassName: {{ . }}
  {{- end }}
  resources:
    requests:
      storage: {{ .size }}
{{- end -}}
{{- end -}}
