{{/* What pods mount. Everything else is read-only. */}}

{{/* Mounts of a component's container. Takes root and c. */}}
{{- define "soundsight.mounts" -}}
- name: scratch
  mountPath: /tmp
{{- if include "soundsight.usesModels" . }}
- name: models
  mountPath: /models
{{- end }}
{{- if .c.spec.shm.size }}
- name: shm
  mountPath: /dev/shm
{{- end }}
{{- if and .root.Values.tls.enabled (ne .c.service "vllm") }}
{{- /* The folder: single files (subPath) the kubelet would never renew. */}}
- name: tls
  mountPath: /etc/soundsight/tls
  readOnly: true
{{- end }}
{{- if and (eq .c.service "gateway") (eq .root.Values.database.kind "sqlite") }}
- name: state
  mountPath: /var/lib/soundsight
{{- end }}
{{- if include "soundsight.mountsArtifacts" . }}
- name: artifacts
  mountPath: /var/lib/soundsight/artifacts
{{- end }}
{{- with .c.spec.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Volumes of a component's pods. Takes root and c. */}}
{{- define "soundsight.volumes" -}}
{{- $spec := .c.spec -}}
- name: scratch
  emptyDir:
    sizeLimit: {{ $spec.scratch.size }}
    {{- with $spec.scratch.medium }}
    medium: {{ . }}
    {{- end }}
{{- if include "soundsight.usesModels" . }}
- name: models
  {{- if $spec.modelCache.enabled }}
  persistentVolumeClaim:
    claimName: {{ include "soundsight.modelClaim" . }}
  {{- else }}
  emptyDir:
    sizeLimit: {{ $spec.modelCache.size }}
  {{- end }}
{{- end }}
{{- with $spec.shm.size }}
- name: shm
  emptyDir:
    medium: Memory
    sizeLimit: {{ . }}
{{- end }}
{{- if and .root.Values.tls.enabled (ne .c.service "vllm") }}
- name: tls
  secret:
    secretName: {{ include "soundsight.tlsSecret" (dict "root" .root "name" .c.name "service" .c.service) }}
    defaultMode: 0440
{{- end }}
{{- if include "soundsight.mountsArtifacts" . }}
- name: artifacts
  persistentVolumeClaim:
    claimName: {{ include "soundsight.artifactClaim" .root }}
{{- end }}
{{- with $spec.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Whether a component loads models. Takes c. */}}
{{- define "soundsight.usesModels" -}}
{{- if or .c.spec.modelCache.enabled (eq .c.service "vllm") .c.spec.models -}}true{{- end -}}
{{- end -}}

{{/* Whether a component's models are on a claim that the nodes cannot share. Takes c. */}}
{{- define "soundsight.modelsOnOneNode" -}}
{{- $cache := .c.spec.modelCache -}}
{{- if and $cache.enabled (not $cache.existingClaim) (not (has "ReadWriteMany" $cache.accessModes)) (not (has "ReadOnlyMany" $cache.accessModes)) -}}true{{- end -}}
{{- end -}}

{{/* The claim that a component's models are on. Takes root and c. */}}
{{- define "soundsight.modelClaim" -}}
{{- default (printf "%s-models" (include "soundsight.name" (dict "root" .root "name" .c.name))) .c.spec.modelCache.existingClaim -}}
{{- end -}}

{{/* Whether a component reads and writes files of renders. Takes c. */}}
{{- define "soundsight.usesArtifacts" -}}
{{- if has .c.service (list "gateway" "analyzer" "videogen" "composer") -}}true{{- end -}}
{{- end -}}

{{- define "soundsight.mountsArtifacts" -}}
{{- if and (eq .root.Values.artifacts.kind "volume") (include "soundsight.usesArtifacts" .) -}}true{{- end -}}
{{- end -}}

{{- define "soundsight.artifactClaim" -}}
{{- default (printf "%s-artifacts" (include "soundsight.fullname" .)) .Values.artifacts.volume.existingClaim -}}
{{- end -}}

{{/* The secret with a component's certificate. Takes root, name and service. */}}
{{- define "soundsight.tlsSecret" -}}
{{- $given := index .root.Values.tls.existingSecrets .service -}}
{{- default (printf "%s-tls" (include "soundsight.name" (dict "root" .root "name" .name))) $given -}}
{{- end -}}
