{{/* The gateway's variables: who it is, where its renders are, whom it calls. Takes root and c. */}}
{{- define "soundsight.env.gateway" }}
{{- $database := .root.Values.database }}
{{- /* The image listens for HTTP unless it is told not to. */}}
- name: SOUNDSIGHT_GATEWAY_HTTP_LISTEN
  value: {{ ternary (printf "%s:%v" (include "soundsight.listenHost" .) (include "soundsight.ports" . | fromYaml).http) "" .c.spec.http.enabled | quote }}
- name: SOUNDSIGHT_GATEWAY_EXECUTOR_ID
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- if eq $database.kind "sqlite" }}
- name: SOUNDSIGHT_GATEWAY_DATABASE_URL
  value: sqlite:////var/lib/soundsight/gateway.sqlite
{{- else if eq $database.kind "bundled" }}
{{- include "soundsight.env.secret" (dict "name" "SOUNDSIGHT_GATEWAY_DATABASE_URL" "secret" (include "soundsight.name" (dict "root" .root "name" "postgres")) "key" "url") }}
{{- else }}
{{- include "soundsight.env.secret" (dict "name" "SOUNDSIGHT_GATEWAY_DATABASE_URL" "secret" $database.external.existingSecret "key" $database.external.key) }}
{{- end }}
{{- range $service := list "analyzer" "scenewriter" "composer" }}
- name: SOUNDSIGHT_GATEWAY_{{ upper $service }}
  value: {{ include "soundsight.target" (dict "root" $.root "service" $service) }}
{{- end }}
- name: SOUNDSIGHT_GATEWAY_VIDEO_POOLS
  value: {{ include "soundsight.poolTargets" .root | quote }}
{{- if and .root.Values.gateway.podDeletionCost (eq .root.Values.gateway.discovery "kubernetes") }}
- name: SOUNDSIGHT_GATEWAY_POD_DELETION_COST
  value: "true"
{{- end }}
{{- end -}}

{{/* The pools as the gateway's setting, JSON. Takes the root. */}}
{{- define "soundsight.poolTargets" -}}
{{- $pools := list -}}
{{- range $name, $spec := include "soundsight.pools" . | fromJson -}}
{{- $targets := $spec.externalAddresses -}}
{{- if not $targets -}}
{{- $service := include "soundsight.name" (dict "root" $ "name" (printf "videogen-%s" $name)) -}}
{{- if eq $.Values.gateway.discovery "kubernetes" -}}
{{- $targets = list (printf "kubernetes:///%s.%s:grpc" $service $.Release.Namespace) -}}
{{- else -}}
{{- $targets = list (printf "dns:///%s:7003" $service) -}}
{{- end -}}
{{- end -}}
{{- $pool := dict "name" $name "endpoints" $targets "max_in_flight" $spec.maxInFlight -}}
{{- with $spec.profile -}}
{{- $_ := set $pool "profile" . -}}
{{- end -}}
{{- $pools = append $pools $pool -}}
{{- end -}}
{{- toJson $pools -}}
{{- end -}}
