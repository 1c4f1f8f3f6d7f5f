{{/*
Rules of network policies: who may talk to whom. Ports are numbers: there are network plugins that do
not know the names of ports, and let such a rule stand for every port.
*/}}

{{/* Pods of this release with a component's name. Takes root and name. */}}
{{- define "soundsight.peer" -}}
- podSelector:
    matchLabels:
      {{- include "soundsight.selector" . | nindent 6 }}
{{- end -}}

{{/* What may come in to a component. Takes root and c. */}}
{{- define "soundsight.ingress" -}}
{{- $root := .root -}}
{{- $c := .c -}}
{{- $rules := $root.Values.networkPolicy }}
{{- $ports := include "soundsight.ports" . | fromYaml }}
{{- if eq $c.service "gateway" }}
- ports:
    - port: {{ $c.port }}
    {{- if include "soundsight.servesHttp" . }}
    - port: {{ $ports.http }}
    {{- end }}
  {{- with $rules.clients }}
  from:
    {{- toYaml . | nindent 4 }}
{{ include "soundsight.peer" (dict "root" $root "name" "test") | indent 4 }}
  {{- end }}
{{- if include "soundsight.usesKeda" $root }}
- ports: [{port: {{ $c.port }}}]
  {{- with $rules.keda }}
  from:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- else if eq $c.service "vllm" }}
- ports: [{port: {{ $c.port }}}]
  from:
    {{- include "soundsight.peer" (dict "root" $root "name" (ternary "scenewriter" "analyzer" (eq $c.model "script"))) | nindent 4 }}
{{- else }}
- ports: [{port: {{ $c.port }}}]
  from:
    {{- include "soundsight.peer" (dict "root" $root "name" "gateway") | nindent 4 }}
    {{- include "soundsight.peer" (dict "root" $root "name" "test") | nindent 4 }}
{{- end }}
{{- if ne $c.service "vllm" }}
- ports: [{port: {{ $ports.metrics }}}]
  {{- with $rules.prometheus }}
  from:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- with $c.spec.networkPolicy.extraIngress }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Where a component may go. Takes root and c. */}}
{{- define "soundsight.egress" -}}
{{- $root := .root -}}
{{- $c := .c -}}
{{- $rules := $root.Values.networkPolicy -}}
{{- include "soundsight.egress.dns" $root }}
{{- if eq $c.service "gateway" }}
{{- include "soundsight.egress.gateway" $root }}
{{- end }}
{{- if include "soundsight.usesArtifacts" . }}
{{- include "soundsight.egress.artifacts" $root }}
{{- end }}
{{- if eq $c.service "scenewriter" }}
{{- include "soundsight.egress.model" (dict "root" $root "model" "script") }}
{{- else if eq $c.service "analyzer" }}
{{- include "soundsight.egress.model" (dict "root" $root "model" "concept") }}
{{- end }}
{{- if include "soundsight.asksHub" . }}
- ports: [{port: 443}]
{{- end }}
{{- with $root.Values.tracing.endpoint }}
- ports: [{port: {{ include "soundsight.urlPort" . }}}]
{{- end }}
{{- with $c.spec.networkPolicy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "soundsight.egress.dns" -}}
- ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
  {{- with .Values.networkPolicy.dns }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* Services that the gateway calls, its database, and the API server. Takes the root. */}}
{{- define "soundsight.egress.gateway" }}
{{- $rules := .Values.networkPolicy }}
{{- $ports := include "soundsight.ports" . | fromYaml }}
{{- range $service := list "analyzer" "scenewriter" "composer" }}
{{- $values := index $.Values $service }}
{{- if $values.enabled }}
- ports: [{port: {{ index $ports $service }}}]
  to:
    {{- include "soundsight.peer" (dict "root" $ "name" $service) | nindent 4 }}
{{- else }}
- ports: [{port: {{ regexFind "[0-9]+$" $values.externalAddress }}}]
{{- end }}
{{- end }}
{{- range $name, $pool := include "soundsight.pools" . | fromJson }}
{{- if not $pool.externalAddresses }}
- ports: [{port: {{ $ports.videogen }}}]
  to:
    {{- include "soundsight.peer" (dict "root" $ "name" (printf "videogen-%s" $name)) | nindent 4 }}
{{- end }}
{{- range $pool.externalAddresses }}
- ports: [{port: {{ regexFind "[a-z0-9]+$" . }}}]
{{- end }}
{{- end }}
{{- if eq .Values.database.kind "bundled" }}
- ports: [{port: {{ $ports.postgres }}}]
  to:
    {{- include "soundsight.peer" (dict "root" $ "name" "postgres") | nindent 4 }}
{{- else if eq .Values.database.kind "external" }}
- ports: [{port: {{ $rules.databasePort }}}]
  {{- with $rules.database }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- if eq .Values.gateway.discovery "kubernetes" }}
- ports:
    {{- range $rules.apiServerPorts }}
    - port: {{ . }}
    {{- end }}
  {{- with $rules.apiServer }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* The object store. Takes the root. */}}
{{- define "soundsight.egress.artifacts" }}
{{- if eq .Values.artifacts.kind "bundled" }}
- ports: [{port: {{ (include "soundsight.ports" . | fromYaml).objectstore }}}]
  to:
    {{- include "soundsight.peer" (dict "root" $ "name" "objectstore") | nindent 4 }}
{{- else if eq .Values.artifacts.kind "s3" }}
- ports: [{port: {{ include "soundsight.urlPort" (default "https://s3" .Values.artifacts.s3.endpoint) }}}]
  {{- with .Values.networkPolicy.objectStore }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* A service's language model, here or elsewhere. Takes root and model. */}}
{{- define "soundsight.egress.model" }}
{{- $model := index .root.Values.vllm .model }}
{{- if $model.enabled }}
- ports: [{port: {{ (include "soundsight.ports" . | fromYaml).vllm }}}]
  to:
    {{- include "soundsight.peer" (dict "root" .root "name" (printf "vllm-%s" .model)) | nindent 4 }}
{{- else if $model.externalUrl }}
- ports: [{port: {{ include "soundsight.urlPort" $model.externalUrl }}}]
{{- end }}
{{- end -}}

{{/* Whether pods fetch models from the hub themselves. Takes root and c. */}}
{{- define "soundsight.asksHub" -}}
{{- if eq .c.service "vllm" -}}
{{- if not (hasPrefix "/" .c.spec.model) -}}true{{- end -}}
{{- else if eq .c.service "videogen" -}}
{{- if eq (toString (index .c.spec.settings "SOUNDSIGHT_VIDEOGEN_DIFFUSION_HUB" | default false)) "true" -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{/* The port of a URL. */}}
{{- define "soundsight.urlPort" -}}
{{- $parts := urlParse . -}}
{{- $port := regexFind ":[0-9]+$" $parts.host -}}
{{- default (ternary "443" "80" (eq $parts.scheme "https")) (trimPrefix ":" $port) -}}
{{- end -}}
