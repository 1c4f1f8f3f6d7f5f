{{/* Names, labels and addresses of objects. */}}

{{/* The release's part of every name: at most 26 characters, so that the longest name fits. */}}
{{- define "soundsight.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 26 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 26 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 26 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Name of a component's objects. Takes root and the component's name. */}}
{{- define "soundsight.name" -}}
{{- printf "%s-%s" (include "soundsight.fullname" .root) .name -}}
{{- end -}}

{{/* What tells a component's pods from all others. Takes root and name. */}}
{{- define "soundsight.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end -}}

{{/* Labels of a pod. No version is among them: another chart with the same pods restarts none. */}}
{{- define "soundsight.podLabels" -}}
{{ include "soundsight.selector" . }}
app.kubernetes.io/part-of: soundsight
{{- end -}}

{{/* Labels of an object. Takes root and name. */}}
{{- define "soundsight.labels" -}}
{{ include "soundsight.podLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The image of one of the suite's parts. Takes root, service, and image: the part's own wishes. */}}
{{- define "soundsight.image" -}}
{{- $own := default dict .image -}}
{{- $repository := default (printf "soundsight-%s" .service) $own.repository -}}
{{- $whole := ternary (printf "%s/%s" .root.Values.image.registry $repository) $repository (ne .root.Values.image.registry "") -}}
{{- if $own.digest -}}
{{- printf "%s@%s" $whole $own.digest -}}
{{- else -}}
{{- $tag := default (default .root.Chart.AppVersion .root.Values.image.tag) $own.tag -}}
{{- printf "%s:%s" $whole $tag -}}
{{- with $own.variant }}-{{ . }}{{- end -}}
{{- end -}}
{{- end -}}

{{/* Secrets to pull images with, as a field of a pod. */}}
{{- define "soundsight.pullSecrets" }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* The name of a service as other pods of the namespace resolve it, with its port. Takes root, name and port. */}}
{{- define "soundsight.address" -}}
{{- printf "%s:%v" (include "soundsight.name" .) .port -}}
{{- end -}}

{{/* The gRPC target by which a service is called: its own pods, or what stands in for them. Takes root and service. */}}
{{- define "soundsight.target" -}}
{{- $values := index .root.Values .service -}}
{{- if $values.enabled -}}
{{- $port := index (include "soundsight.ports" . | fromYaml) .service -}}
{{- printf "dns:///%s" (include "soundsight.address" (dict "root" .root "name" .service "port" $port)) -}}
{{- else -}}
{{- $values.externalAddress -}}
{{- end -}}
{{- end -}}

{{/* The ports that services listen on. */}}
{{- define "soundsight.ports" -}}
gateway: 7000
analyzer: 7001
scenewriter: 7002
videogen: 7003
composer: 7004
vllm: 8000
http: 8080
metrics: 9100
postgres: 5432
objectstore: 8333
{{- end -}}

{{/* A value as an environment variable spells it: whole numbers stay whole, lists and maps are JSON. */}}
{{- define "soundsight.text" -}}
{{- if kindIs "string" . -}}
{{- . -}}
{{- else if or (kindIs "slice" .) (kindIs "map" .) -}}
{{- toJson . -}}
{{- else -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}
