{{/* The composer has no variables but those of every service. */}}
{{- define "soundsight.env.composer" }}
{{- end -}}
