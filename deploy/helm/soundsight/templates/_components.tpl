{{/*
The components of the release that run as pods of ours, as a JSON list of

  name     tells the component's objects apart: `analyzer`, `videogen-default`, `vllm-script`
  service  what runs in it: gateway, analyzer, scenewriter, composer, videogen, vllm
  port     where it listens
  pool     the pool's name, for videogen
  model    script or concept, for vllm
  spec     its values, with those of `defaults` (and `videogen`) where it has none of its own

Every kind that several components have (policies, accounts, budgets, ...) goes through this list.
*/}}
{{- define "soundsight.components" -}}
{{- $ports := include "soundsight.ports" . | fromYaml -}}
{{- $found := list -}}
{{- range $service := list "gateway" "analyzer" "scenewriter" "composer" -}}
{{- $own := index $.Values $service -}}
{{- if $own.enabled -}}
{{- $spec := mergeOverwrite (deepCopy $.Values.defaults) (deepCopy $own) -}}
{{- $found = append $found (dict "name" $service "service" $service "port" (index $ports $service) "spec" $spec) -}}
{{- end -}}
{{- end -}}
{{- range $pool, $spec := include "soundsight.pools" . | fromJson -}}
{{- if not $spec.externalAddresses -}}
{{- $found = append $found (dict "name" (printf "videogen-%s" $pool) "service" "videogen" "pool" $pool "port" $ports.videogen "spec" $spec) -}}
{{- end -}}
{{- end -}}
{{- range $model := list "script" "concept" -}}
{{- $own := index $.Values.vllm $model -}}
{{- if $own.enabled -}}
{{- $spec := mergeOverwrite (deepCopy $.Values.defaults) (deepCopy $own) -}}
{{- $found = append $found (dict "name" (printf "vllm-%s" $model) "service" "vllm" "model" $model "port" $ports.vllm "spec" $spec) -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* One component by name, as JSON; empty when it does not run here. Takes root and name. */}}
{{- define "soundsight.component" -}}
{{- range include "soundsight.components" .root | fromJsonArray -}}
{{- if eq .name $.name -}}
{{- toJson . -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The pools that are on, by name, as JSON; each with what `defaults` and `videogen` say. */}}
{{- define "soundsight.pools" -}}
{{- $pools := dict -}}
{{- $shared := mergeOverwrite (deepCopy .Values.defaults) (omit (deepCopy .Values.videogen) "pools") -}}
{{- range $name, $own := .Values.videogen.pools -}}
{{- $spec := mergeOverwrite (deepCopy $shared) (deepCopy (default dict $own)) -}}
{{- if $spec.enabled -}}
{{- $_ := set $pools $name $spec -}}
{{- end -}}
{{- end -}}
{{- toJson $pools -}}
{{- end -}}

{{/* Name of a component's service account. Takes root and c. */}}
{{- define "soundsight.serviceAccount" -}}
{{- default (include "soundsight.name" (dict "root" .root "name" .c.name)) .c.spec.serviceAccount.name -}}
{{- end -}}

{{/* Whether something else than the chart sets how many pods a component has. Takes c. */}}
{{- define "soundsight.isScaled" -}}
{{- if .c.spec.autoscaling.enabled -}}true{{- else if and .c.pool .c.spec.keda.enabled -}}true{{- end -}}
{{- end -}}

{{/* Most pods that a component may have at a time. Takes c. */}}
{{- define "soundsight.mostPods" -}}
{{- if and .c.pool .c.spec.keda.enabled -}}
{{- .c.spec.keda.maxReplicas -}}
{{- else if .c.spec.autoscaling.enabled -}}
{{- .c.spec.autoscaling.maxReplicas -}}
{{- else -}}
{{- .c.spec.replicas -}}
{{- end -}}
{{- end -}}

{{/* Seconds until a pod is killed. Takes c. */}}
{{- define "soundsight.terminationSeconds" -}}
{{- $least := add .c.spec.drainGraceSeconds .c.spec.preStopSeconds -}}
{{- if .c.spec.terminationGracePeriodSeconds -}}
{{- int64 .c.spec.terminationGracePeriodSeconds -}}
{{- else -}}
{{- add $least 30 -}}
{{- end -}}
{{- end -}}
