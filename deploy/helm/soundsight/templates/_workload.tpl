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
  {{- /* A rollout that waits for models to load makes progress. */}}
  progressDeadlineSeconds: {{ add .c.spec.probes.startupSeconds 600 }}
  {{- with .c.spec.updateStrategy }}
  strategy:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "soundsight.selector" $named | nindent 6 }}
  template:
    {{- include "soundsight.podTemplate" . | nindent 4 }}
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
