{{- define "ringfence.labels" -}}
app.kubernetes.io/name: ringfence
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "ringfence.container" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  runAsUser: 0
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
    add: [NET_ADMIN, SYS_PTRACE, DAC_READ_SEARCH, SYS_ADMIN, SYS_CHROOT]
resources: {{- toYaml .Values.resources | nindent 2 }}
{{- end }}

{{- define "ringfence.once" -}}
{{ include "ringfence.container" . }}
volumeMounts:
  - {name: host, mountPath: /host, readOnly: true, recursiveReadOnly: IfPossible}
{{- end }}

{{- /* With what is mounted later, which a mount that is read-only all the way down cannot have. */}}
{{- define "ringfence.always" -}}
{{ include "ringfence.container" . }}
volumeMounts:
  - {name: host, mountPath: /host, readOnly: true, mountPropagation: HostToContainer}
{{- end }}

{{- define "ringfence.audit" -}}
[audit, --quiet, --host-root, /host, --fail-on, none, --format, jsonl{{ range .Values.auditArgs }}, {{ . | quote }}{{ end }}]
{{- end }}

{{- define "ringfence.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
hostPID: true
hostNetwork: true
dnsPolicy: Default
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: host
    hostPath: {path: /, type: Directory}
{{- end }}
