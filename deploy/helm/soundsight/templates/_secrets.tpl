{{/*
A generated secret's value: the given one, else the one that is there, else a new one. Takes root,
secret, key and given. `helm template` sees no cluster, so it makes a new one each time.
*/}}
{{- define "soundsight.kept" -}}
{{- $there := lookup "v1" "Secret" .root.Release.Namespace .secret -}}
{{- if .given -}}
{{- .given -}}
{{- else if and $there (index (default dict $there.data) .key) -}}
{{- index $there.data .key | b64dec -}}
{{- else -}}
{{- randAlphaNum 32 -}}
{{- end -}}
{{- end -}}
