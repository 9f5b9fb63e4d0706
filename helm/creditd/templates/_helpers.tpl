{{- define "creditd.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "creditd.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "creditd.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "creditd.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "creditd.selector" -}}
app.kubernetes.io/name: {{ include "creditd.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "creditd.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "creditd.selector" . }}
{{- end -}}

{{- define "creditd.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "creditd.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "creditd.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "creditd.databaseEnv" -}}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ required "database.existingSecret names the secret that holds the database's URL" .Values.database.existingSecret }}
      key: {{ .Values.database.key }}
- name: CREDITD_LOG_FORMAT
  value: {{ .Values.telemetry.logFormat }}
- name: RUST_LOG
  value: {{ .Values.telemetry.logLevel | quote }}
{{- end -}}

{{- define "creditd.appProtocol" -}}
{{- ternary "https" "kubernetes.io/h2c" (not (empty .Values.tls.existingSecret)) -}}
{{- end -}}

{{/* What the pods of the server and of the migration may not do. */}}
{{- define "creditd.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "creditd.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 65532
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* Who may look a name up, and reach PostgreSQL: all pods of this chart. */}}
{{- define "creditd.egressBase" -}}
- ports:
    {{- range .Values.networkPolicy.dnsPorts }}
    - port: {{ . }}
      protocol: UDP
    - port: {{ . }}
      protocol: TCP
    {{- end }}
- ports:
    - port: {{ .Values.networkPolicy.databasePort }}
      protocol: TCP
{{- end -}}

{{/* The port of the collector's URL, or else the one that goes with its scheme. */}}
{{- define "creditd.otlpPort" -}}
{{- $url := urlParse .Values.telemetry.otlpEndpoint -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
{{- default (ternary "443" "80" (eq $url.scheme "https")) $port -}}
{{- end -}}

{{/* What the server and the migration need on disk: room for nothing but temporary files, and the
files that the database's URL names. */}}
{{- define "creditd.mounts" -}}
- name: tmp
  mountPath: /tmp
{{- if .Values.database.filesSecret }}
- name: database
  mountPath: /etc/creditd/database
  readOnly: true
{{- end }}
{{- end -}}

{{- define "creditd.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: 16Mi
{{- with .Values.database.filesSecret }}
- name: database
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- end -}}
