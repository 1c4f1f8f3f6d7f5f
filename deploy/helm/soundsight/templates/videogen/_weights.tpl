{{/*
Weights of a pool's models, fetched by a Job. The Job leaves a mark when all are there, and pods of
the pool wait for it. The mark is named after what is fetched: other models are another mark.
*/}}

{{/* Ids of the hub among a pool's models, as JSON: the others are folders. Takes a pool's values. */}}
{{- define "soundsight.hubModels" -}}
{{- $found := list -}}
{{- range .models -}}
{{- if not (hasPrefix "/" .) -}}
{{- $found = append $found . -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* Name of the weights, where a Job fetches them; empty elsewhere. Takes c. */}}
{{- define "soundsight.weightsName" -}}
{{- if and .c.pool .c.spec.download.enabled -}}
{{- $what := dict "models" .c.spec.models "revision" .c.spec.revision "include" .c.spec.download.include -}}
{{- $what | toJson | sha256sum | trunc 8 -}}
{{- end -}}
{{- end -}}

{{- define "soundsight.weightsMark" -}}
/models/.soundsight/{{ include "soundsight.weightsName" . }}
{{- end -}}

{{/* The container that waits for the weights. Takes root and c. */}}
{{- define "soundsight.weightsWait" -}}
- name: weights
  image: {{ include "soundsight.image" (dict "root" .root "service" "videogen" "image" .c.spec.image) }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command:
    - python
    - -c
    - |-
      import pathlib, sys, time
      while not pathlib.Path(sys.argv[1]).exists():
          time.sleep(2)
    - {{ include "soundsight.weightsMark" . }}
  securityContext:
    {{- include "soundsight.containerSecurity" . | nindent 4 }}
  resources:
    requests: {cpu: 10m, memory: 32Mi}
    limits: {memory: 128Mi}
  volumeMounts:
    - name: models
      mountPath: /models
{{- end -}}

{{/* The template of the Job's pod. Takes root and c. */}}
{{- define "soundsight.weightsPod" -}}
{{- $named := dict "root" .root "name" (printf "weights-%s" .c.pool) -}}
{{- $image := include "soundsight.image" (dict "root" .root "service" "videogen" "image" .c.spec.image) -}}
metadata:
  {{- include "soundsight.otherMetadata" $named | nindent 2 }}
spec:
  {{- include "soundsight.podBasics" $ | nindent 2 }}
  {{- with include "soundsight.otherPlacement" $named }}
  {{- trim . | nindent 2 }}
  {{- end }}
  restartPolicy: OnFailure
  initContainers:
    {{- range $number, $model := include "soundsight.hubModels" $.c.spec | fromJsonArray }}
    - name: model-{{ $number }}
      image: {{ $image }}
      imagePullPolicy: {{ $.root.Values.image.pullPolicy }}
      command:
        - hf
        - download
        - {{ $model | quote }}
        {{- with $.c.spec.revision }}
        - --revision
        - {{ . | quote }}
        {{- end }}
        {{- range $.c.spec.download.include }}
        - --include
        - {{ . | quote }}
        {{- end }}
      securityContext:
        {{- include "soundsight.containerSecurity" $ | nindent 8 }}
      env:
        - name: HOME
          value: /tmp
        - name: HF_HOME
          value: /models/hub
        {{- with include "soundsight.env.hubToken" $.c.spec }}
        {{- trim . | nindent 8 }}
        {{- end }}
        {{- with $.c.spec.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with $.c.spec.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      resources:
        {{- toYaml $.c.spec.download.resources | nindent 8 }}
      volumeMounts:
        - name: models
          mountPath: /models
        - name: scratch
          mountPath: /tmp
        {{- with $.c.spec.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    {{- end }}
  containers:
    - name: mark
      image: {{ $image }}
      imagePullPolicy: {{ $.root.Values.image.pullPolicy }}
      command:
        - python
        - -c
        - |-
          import pathlib, sys
          mark = pathlib.Path(sys.argv[1])
          mark.parent.mkdir(exist_ok=True)
          mark.touch()
        - {{ include "soundsight.weightsMark" $ }}
      securityContext:
        {{- include "soundsight.containerSecurity" $ | nindent 8 }}
      resources:
        requests: {cpu: 10m, memory: 32Mi}
        limits: {memory: 128Mi}
      volumeMounts:
        - name: models
          mountPath: /models
  volumes:
    - name: models
      persistentVolumeClaim:
        claimName: {{ include "soundsight.modelClaim" $ }}
    - name: scratch
      emptyDir:
        sizeLimit: 1Gi
    {{- with $.c.spec.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
