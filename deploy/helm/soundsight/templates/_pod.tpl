{{/*
The template of a component's pods: all that components share. Takes root and c.

What only one service needs comes from its own folder: `soundsight.env.<service>` are its variables.
*/}}
{{- define "soundsight.podTemplate" -}}
{{- $spec := .c.spec -}}
{{- $named := dict "root" .root "name" .c.name -}}
metadata:
  labels:
    {{- include "soundsight.podLabels" $named | nindent 4 }}
    {{- with $spec.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    {{- /* The defaults of kubectl logs and exec. */}}
    kubectl.kubernetes.io/default-container: {{ .c.service }}
    {{- with $spec.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "soundsight.podBasics" . | nindent 2 }}
  terminationGracePeriodSeconds: {{ include "soundsight.terminationSeconds" . }}
  {{- with include "soundsight.placement" . }}
  {{- trim . | nindent 2 }}
  {{- end }}
  {{- if include "soundsight.weightsName" . }}
  initContainers:
    {{- include "soundsight.weightsWait" . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ .c.service }}
      image: {{ include "soundsight.image" (dict "root" .root "service" .c.service "image" $spec.image) }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      {{- if eq .c.service "vllm" }}
      {{- include "soundsight.vllmCommand" . | nindent 6 }}
      {{- end }}
      securityContext:
        {{- include "soundsight.containerSecurity" . | nindent 8 }}
      ports:
        - name: {{ ternary "http" "grpc" (eq .c.service "vllm") }}
          containerPort: {{ .c.port }}
        {{- if include "soundsight.servesHttp" . }}
        - name: http
          containerPort: {{ (include "soundsight.ports" . | fromYaml).http }}
        {{- end }}
        {{- if ne .c.service "vllm" }}
        - name: metrics
          containerPort: {{ (include "soundsight.ports" . | fromYaml).metrics }}
        {{- end }}
      env:
        {{- include "soundsight.env" . | trim | nindent 8 }}
      {{- with $spec.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- include "soundsight.probes" . | nindent 6 }}
      {{- with $spec.preStopSeconds }}
      lifecycle:
        preStop:
          sleep:
            seconds: {{ . }}
      {{- end }}
      {{- with include "soundsight.resources" . }}
      resources:
        {{- . | nindent 8 }}
      {{- end }}
      volumeMounts:
        {{- include "soundsight.mounts" . | nindent 8 }}
  volumes:
    {{- include "soundsight.volumes" . | nindent 4 }}
  {{- with $spec.deviceClaims }}
  resourceClaims:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* Account and rights of a pod, beside those of its containers. Takes root and c. */}}
{{- define "soundsight.podBasics" -}}
serviceAccountName: {{ include "soundsight.serviceAccount" . }}
automountServiceAccountToken: {{ and (eq .c.service "gateway") (eq .root.Values.gateway.discovery "kubernetes") }}
{{- /* A Service named soundsight-gateway would make variables that begin like our settings. */}}
enableServiceLinks: false
{{- include "soundsight.pullSecrets" .root }}
{{- include "soundsight.podSecurity" (dict "root" .root "user" 10001) | nindent 0 }}
{{- end -}}

{{/* The `restricted` Pod Security Standard, for a pod of one user. Takes root and the user's number. */}}
{{- define "soundsight.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  {{- if .root.Values.podSecurity.fixedUser }}
  runAsUser: {{ .user }}
  runAsGroup: {{ .user }}
  fsGroup: {{ .user }}
  {{- end }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "soundsight.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/*
Metadata of a pod that is no component, but a server for trials or a Job: `defaults` holds for it too.
Takes root and name.
*/}}
{{- define "soundsight.otherMetadata" -}}
labels:
  {{- include "soundsight.podLabels" . | nindent 2 }}
  {{- with .root.Values.defaults.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .root.Values.defaults.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Which nodes such a pod, or that of a test, may come to. Takes root and name. */}}
{{- define "soundsight.otherPlacement" -}}
{{- include "soundsight.placement" (dict "root" .root "c" (dict "name" .name "spec" (omit .root.Values.defaults "topologySpreadConstraints"))) -}}
{{- end -}}

{{/* Which nodes a pod may come to. Takes root and c. */}}
{{- define "soundsight.placement" -}}
{{- $spec := .c.spec }}
{{- range $field := list "priorityClassName" "runtimeClassName" "schedulerName" }}
{{- with index $spec $field }}
{{ $field }}: {{ . }}
{{- end }}
{{- end }}
{{- range $field := list "nodeSelector" "tolerations" "affinity" }}
{{- with index $spec $field }}
{{ $field }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- if $spec.topologySpreadConstraints }}
{{- $own := dict "labelSelector" (dict "matchLabels" (include "soundsight.selector" (dict "root" .root "name" .c.name) | fromYaml)) }}
topologySpreadConstraints:
  {{- range $spec.topologySpreadConstraints }}
  {{- list (merge (deepCopy .) $own) | toYaml | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/*
Health. The start may take long, where a model is loaded. What fails to start, or says nothing any
more, drains nothing either: it is not given the hours that a drain may take. Takes root and c.
*/}}
{{- define "soundsight.probes" -}}
{{- $probes := .c.spec.probes -}}
startupProbe:
  {{- include "soundsight.probe" . | nindent 2 }}
  failureThreshold: {{ div (add $probes.startupSeconds $probes.periodSeconds -1) $probes.periodSeconds }}
  terminationGracePeriodSeconds: 60
readinessProbe:
  {{- include "soundsight.probe" . | nindent 2 }}
  failureThreshold: 2
livenessProbe:
  {{- include "soundsight.probe" . | nindent 2 }}
  failureThreshold: 6
  terminationGracePeriodSeconds: 60
{{- end -}}

{{- define "soundsight.probe" -}}
{{- $answerS := .c.spec.probes.timeoutSeconds | int64 -}}
{{- $startS := 0 -}}
{{- if eq .c.service "vllm" -}}
httpGet:
  path: /health
  port: http
{{- else if .root.Values.tls.enabled -}}
{{- /* The kubelet's own gRPC probe speaks no TLS. A program has to start first, on a busy node too. */ -}}
{{- $startS = 5 -}}
exec:
  command: [python, -m, soundsight_kit.probe, --timeout={{ $answerS }}]
{{- else -}}
grpc:
  port: {{ .c.port }}
{{- end }}
periodSeconds: {{ .c.spec.probes.periodSeconds }}
timeoutSeconds: {{ add $answerS $startS }}
{{- end -}}

{{/* What a container asks of its node: what is given, devices by name, and claims. Takes c. */}}
{{- define "soundsight.resources" -}}
{{- $resources := deepCopy .c.spec.resources -}}
{{- with .c.spec.gpus -}}
{{- $_ := set $resources "limits" (merge (deepCopy .) (default dict $resources.limits)) -}}
{{- end -}}
{{- with .c.spec.deviceClaims -}}
{{- $claims := list -}}
{{- range . -}}
{{- $claims = append $claims (dict "name" .name) -}}
{{- end -}}
{{- $_ := set $resources "claims" $claims -}}
{{- end -}}
{{- with $resources -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}
