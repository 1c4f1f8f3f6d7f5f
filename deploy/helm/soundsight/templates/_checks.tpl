{{/*
Combinations of values that cannot work, each with what to change. The schema sees one value at a
time; this sees them together. Every check is a sentence, and all that are wrong are told at once.
*/}}
{{- define "soundsight.checks" -}}
{{- $wrong := concat
  (include "soundsight.checks.services" . | fromJsonArray)
  (include "soundsight.checks.storage" . | fromJsonArray)
  (include "soundsight.checks.components" . | fromJsonArray)
  (include "soundsight.checks.pools" . | fromJsonArray)
  (include "soundsight.checks.doors" . | fromJsonArray) -}}
{{- if $wrong -}}
{{- fail (printf "these values do not fit together:\n- %s" (join "\n- " $wrong)) -}}
{{- end -}}
{{- end -}}

{{/* Everything the gateway calls is somewhere. */}}
{{- define "soundsight.checks.services" -}}
{{- $wrong := list -}}
{{- range $service := list "analyzer" "scenewriter" "composer" -}}
{{- $values := index $.Values $service -}}
{{- if and $values.enabled $values.externalAddress -}}
{{- $wrong = append $wrong (printf "%s.externalAddress replaces ours: set %s.enabled to false" $service $service) -}}
{{- else if and $.Values.gateway.enabled (not $values.enabled) (not $values.externalAddress) -}}
{{- $wrong = append $wrong (printf "the gateway calls %s: set %s.enabled, or name another in %s.externalAddress" $service $service $service) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.gateway.enabled (not (hasKey (include "soundsight.pools" . | fromJson) "default")) -}}
{{- $wrong = append $wrong "the gateway needs a pool named default: set videogen.pools.default" -}}
{{- end -}}
{{- range $model := list "script" "concept" -}}
{{- $values := index $.Values.vllm $model -}}
{{- if and $values.enabled $values.externalUrl -}}
{{- $wrong = append $wrong (printf "vllm.%s.externalUrl replaces ours: set vllm.%s.enabled to false" $model $model) -}}
{{- end -}}
{{- if and (or $values.enabled $values.externalUrl) (not $values.model) -}}
{{- $wrong = append $wrong (printf "name the model that is served: vllm.%s.model" $model) -}}
{{- end -}}
{{- end -}}
{{- toJson $wrong -}}
{{- end -}}

{{/* Renders and files are kept where all who need them can reach them. */}}
{{- define "soundsight.checks.storage" -}}
{{- $wrong := list -}}
{{- $gateways := 0 -}}
{{- with include "soundsight.component" (dict "root" $ "name" "gateway") -}}
{{- $gateways = include "soundsight.mostPods" (dict "c" (fromJson .)) | int -}}
{{- end -}}
{{- if and (eq .Values.database.kind "sqlite") (gt $gateways 1) -}}
{{- $wrong = append $wrong (printf "SQLite is for one gateway, and there may be %d: set gateway.replicas to 1, or database.kind to external" $gateways) -}}
{{- end -}}
{{- if and .Values.gateway.enabled (eq .Values.database.kind "external") (not .Values.database.external.existingSecret) -}}
{{- $wrong = append $wrong "name the secret with Postgres' URL in database.external.existingSecret, or set database.kind to bundled for a trial" -}}
{{- end -}}
{{- with .Values.artifacts -}}
{{- if and (eq .kind "s3") (not .s3.url) -}}
{{- $wrong = append $wrong "name the object store in artifacts.s3.url, or set artifacts.kind to bundled for a trial" -}}
{{- end -}}
{{- if and (eq .kind "volume") (not .volume.singleNode) (not .volume.existingClaim) (not (has "ReadWriteMany" .volume.accessModes)) -}}
{{- $wrong = append $wrong "pods of several nodes cannot mount a volume that is not ReadWriteMany: change artifacts.volume.accessModes, say artifacts.volume.singleNode, or keep files in S3" -}}
{{- end -}}
{{- end -}}
{{- toJson $wrong -}}
{{- end -}}

{{/* Each component has the time, the volume and the scaling that go together. */}}
{{- define "soundsight.checks.components" -}}
{{- $wrong := list -}}
{{- range $c := include "soundsight.components" . | fromJsonArray -}}
{{- $spec := $c.spec -}}
{{- $least := add $spec.drainGraceSeconds $spec.preStopSeconds -}}
{{- if and $spec.terminationGracePeriodSeconds (lt (int64 $spec.terminationGracePeriodSeconds) $least) -}}
{{- $wrong = append $wrong (printf "%s would be killed while it drains: terminationGracePeriodSeconds must be at least drainGraceSeconds and preStopSeconds, %d" $c.name $least) -}}
{{- end -}}
{{- if and $spec.autoscaling.enabled (gt (int $spec.autoscaling.minReplicas) (int $spec.autoscaling.maxReplicas)) -}}
{{- $wrong = append $wrong (printf "%s: autoscaling.minReplicas is above maxReplicas" $c.name) -}}
{{- end -}}
{{- if and $spec.autoscaling.enabled (not (dig "requests" "cpu" "" $spec.resources)) -}}
{{- $wrong = append $wrong (printf "%s: autoscaling follows the CPU in percent of resources.requests.cpu, which is missing" $c.name) -}}
{{- end -}}
{{- $many := gt (include "soundsight.mostPods" (dict "c" $c) | int) 1 -}}
{{- if and $many (include "soundsight.modelsOnOneNode" (dict "c" $c)) -}}
{{- $wrong = append $wrong (printf "%s may have several pods, which cannot share a model cache that is not ReadWriteMany: change modelCache.accessModes" $c.name) -}}
{{- end -}}
{{- end -}}
{{- if .Values.tls.enabled -}}
{{- range append (include "soundsight.components" . | fromJsonArray) (dict "service" "client") -}}
{{- if and (ne .service "vllm") (not $.Values.tls.certManager.enabled) (not (index $.Values.tls.existingSecrets .service)) -}}
{{- $wrong = append $wrong (printf "TLS needs a certificate for %s: set tls.certManager.enabled, or name a secret in tls.existingSecrets.%s" .service .service) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.tls.certManager.enabled (not .Values.tls.certManager.createAuthority) (not .Values.tls.certManager.issuerRef.name) -}}
{{- $wrong = append $wrong "name the issuer in tls.certManager.issuerRef.name, or set tls.certManager.createAuthority" -}}
{{- end -}}
{{- end -}}
{{- toJson (uniq $wrong) -}}
{{- end -}}

{{/* Pools can be scaled, drained and filled with weights. */}}
{{- define "soundsight.checks.pools" -}}
{{- $wrong := list -}}
{{- $gateways := 1 -}}
{{- with include "soundsight.component" (dict "root" $ "name" "gateway") -}}
{{- $gateways = (fromJson .).spec.replicas | int -}}
{{- end -}}
{{- $filming := get (default dict .Values.gateway.settings) "SOUNDSIGHT_GATEWAY_FILMING_TIMEOUT_S" | default 7200 | float64 | int64 -}}
{{- range $c := include "soundsight.components" . | fromJsonArray -}}
{{- if $c.pool -}}
{{- $spec := $c.spec -}}
{{- $keda := $spec.keda -}}
{{- if lt (int64 $spec.drainGraceSeconds) $filming -}}
{{- $wrong = append $wrong (printf "pool %s would give up clips when it drains: drainGraceSeconds is below the longest clip, SOUNDSIGHT_GATEWAY_FILMING_TIMEOUT_S (%d)" $c.pool $filming) -}}
{{- end -}}
{{- if and $keda.enabled $spec.autoscaling.enabled -}}
{{- $wrong = append $wrong (printf "pool %s has two autoscalers: set keda.enabled or autoscaling.enabled" $c.pool) -}}
{{- end -}}
{{- if and $keda.enabled (not $.Values.gateway.enabled) (not $.Values.gateway.externalAddress) -}}
{{- $wrong = append $wrong (printf "KEDA asks the gateway how much pool %s has to do, and there is none: set gateway.enabled, or name one in gateway.externalAddress" $c.pool) -}}
{{- end -}}
{{- if and $keda.enabled (gt (int $keda.minReplicas) (int $keda.maxReplicas)) -}}
{{- $wrong = append $wrong (printf "pool %s: keda.minReplicas is above maxReplicas" $c.pool) -}}
{{- end -}}
{{- $most := include "soundsight.mostPods" (dict "c" $c) | int -}}
{{- if and $.Values.gateway.enabled (lt (mul (int $spec.maxInFlight) $gateways) $most) -}}
{{- $wrong = append $wrong (printf "pool %s may have %d pods, and gets no more than %d scenes: raise maxInFlight" $c.pool $most (mul (int $spec.maxInFlight) $gateways)) -}}
{{- end -}}
{{- if and $keda.enabled (eq (int $keda.minReplicas) 0) (not $spec.profile) -}}
{{- $wrong = append $wrong (printf "pool %s may have no pod that says what it can do: declare it in profile, or set keda.minReplicas to 1" $c.pool) -}}
{{- end -}}
{{- $hub := include "soundsight.hubModels" $spec | fromJsonArray -}}
{{- if and $spec.download.enabled (not $spec.modelCache.enabled) -}}
{{- $wrong = append $wrong (printf "pool %s: download.enabled needs modelCache.enabled, where the weights are put" $c.pool) -}}
{{- end -}}
{{- if and $spec.download.enabled (include "soundsight.modelsOnOneNode" (dict "c" $c)) -}}
{{- $wrong = append $wrong (printf "pool %s: the Job of download.enabled and the pods that wait for it cannot share a model cache that is not ReadWriteMany: change modelCache.accessModes, or let the only pod fetch for itself by settings.SOUNDSIGHT_VIDEOGEN_DIFFUSION_HUB" $c.pool) -}}
{{- end -}}
{{- if and $spec.download.enabled (not $hub) -}}
{{- $wrong = append $wrong (printf "pool %s: download.enabled has nothing to fetch: models names no id of the hub" $c.pool) -}}
{{- end -}}
{{- if and $hub (not $spec.download.enabled) (not $spec.modelCache.existingClaim) (not (include "soundsight.asksHub" (dict "root" $ "c" $c))) -}}
{{- $wrong = append $wrong (printf "pool %s has no way to the weights of %s: set download.enabled, or settings.SOUNDSIGHT_VIDEOGEN_DIFFUSION_HUB to true, or name a claim that holds them in modelCache.existingClaim" $c.pool (first $hub)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $wrong -}}
{{- end -}}

{{/* What leads to the gateway, or is told about it, finds one. */}}
{{- define "soundsight.checks.doors" -}}
{{- $wrong := list -}}
{{- $gateway := .Values.gateway -}}
{{- if and $gateway.http.enabled (eq (int $gateway.service.port) (int $gateway.service.httpPort)) -}}
{{- $wrong = append $wrong "gRPC and HTTP cannot have one port: change gateway.service.port or gateway.service.httpPort" -}}
{{- end -}}
{{- range $door := list "grpcIngress" "httpIngress" "grpcRoute" "httpRoute" -}}
{{- $values := index $.Values $door -}}
{{- if $values.enabled -}}
{{- if not $gateway.enabled -}}
{{- $wrong = append $wrong (printf "%s leads to the gateway, and there is none: set gateway.enabled" $door) -}}
{{- else if and (hasPrefix "http" $door) (not $gateway.http.enabled) -}}
{{- $wrong = append $wrong (printf "%s leads to the gateway's HTTP, which is off: set gateway.http.enabled" $door) -}}
{{- end -}}
{{- if and (hasSuffix "Ingress" $door) (not $values.hosts) -}}
{{- $wrong = append $wrong (printf "name the hosts of the Ingress: %s.hosts" $door) -}}
{{- end -}}
{{- if and (hasSuffix "Route" $door) (not $values.parentRefs) -}}
{{- $wrong = append $wrong (printf "name the Gateways of the route: %s.parentRefs" $door) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.grpcRoute.enabled .Values.httpRoute.enabled (include "soundsight.routesShareListener" .) (include "soundsight.routesShareHostname" .) -}}
{{- $wrong = append $wrong "grpcRoute and httpRoute meet at one listener with a common hostname, and a Gateway accepts only one of them there: give them different hostnames, or listeners of their own by sectionName in parentRefs" -}}
{{- end -}}
{{- toJson $wrong -}}
{{- end -}}
