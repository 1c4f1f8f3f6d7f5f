{{/*
Whether the GRPCRoute and the HTTPRoute get into each other's way. Where routes of these two kinds
join one listener and have a hostname in common, a Gateway accepts only the older one (Gateway API,
`hostnames` of a GRPCRoute).
*/}}

{{/* Whether they may join one listener: what a reference leaves out stands for any. */}}
{{- define "soundsight.routesShareListener" -}}
{{- $parent := dict "group" "gateway.networking.k8s.io" "kind" "Gateway" "namespace" .Release.Namespace -}}
{{- range $one := .Values.grpcRoute.parentRefs -}}
{{- range $other := $.Values.httpRoute.parentRefs -}}
{{- $apart := false -}}
{{- range $field := list "group" "kind" "namespace" "name" -}}
{{- $default := get $parent $field -}}
{{- if ne (get $one $field | default $default) (get $other $field | default $default) -}}
{{- $apart = true -}}
{{- end -}}
{{- end -}}
{{- range $field := list "sectionName" "port" -}}
{{- if and (get $one $field) (get $other $field) (ne (toString (get $one $field)) (toString (get $other $field))) -}}
{{- $apart = true -}}
{{- end -}}
{{- end -}}
{{- if not $apart -}}true{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whether a hostname is in both. `*.x.org` has all below it; a route that names none has all. */}}
{{- define "soundsight.routesShareHostname" -}}
{{- range $one := .Values.grpcRoute.hostnames | default (list "*") -}}
{{- range $other := $.Values.httpRoute.hostnames | default (list "*") -}}
{{- if or (eq $one $other) (include "soundsight.covers" (list $one $other)) (include "soundsight.covers" (list $other $one)) -}}true{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whether the first hostname is a wildcard with the second below it. */}}
{{- define "soundsight.covers" -}}
{{- if and (hasPrefix "*" (first .)) (hasSuffix (trimPrefix "*" (first .)) (last .)) -}}true{{- end -}}
{{- end -}}
