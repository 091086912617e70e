{{- define "tickflow.labels" -}}
app.kubernetes.io/name: tickflow
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "tickflow.selector" -}}
app.kubernetes.io/name: tickflow
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "tickflow.pod" -}}
automountServiceAccountToken: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "tickflow.image" -}}
{{ .image.repository }}:{{ .image.tag }}{{ with .image.digest }}@{{ . }}{{ end }}
{{- end }}

{{- define "tickflow.container" -}}
image: {{ include "tickflow.image" .root.Values | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
ports:
  - {name: metrics, containerPort: 9300}
livenessProbe: # the loop turns; a script that waits for a server is live
  httpGet: {path: /health/live, port: metrics}
  initialDelaySeconds: 10
  periodSeconds: 10
  timeoutSeconds: 2
readinessProbe:
  httpGet: {path: /health/ready, port: metrics}
  periodSeconds: 5
  timeoutSeconds: 2
{{- end }}

{{- define "tickflow.environment" -}}
- {name: STACK, value: kafka}
- {name: METRICS_HOST, value: "0.0.0.0"}
- {name: METRICS_PORT, value: "9300"}
- {name: KAFKA_SERVERS, value: {{ .root.Values.kafka.servers | quote }}}
- {name: KAFKA_TOPIC, value: {{ .root.Values.kafka.topic | quote }}}
- {name: INFLUXDB_URL, value: {{ .root.Values.influxdb.url | quote }}}
- {name: INFLUXDB_ORG, value: {{ .root.Values.influxdb.org | quote }}}
- {name: INFLUXDB_BUCKET, value: {{ .root.Values.influxdb.bucket | quote }}}
{{- if .root.Values.influxdb.caSecret }}
- {name: INFLUXDB_SSL_CAFILE, value: /influxdb-ca/ca.crt}
{{- end }}
{{- range $key, $value := .root.Values.settings }}
- {name: {{ $key }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{- define "tickflow.kafkaLogin" -}}
{{- if .root.Values.sasl.mechanism }}
- {name: KAFKA_SECURITY_PROTOCOL, value: {{ .root.Values.sasl.protocol }}}
- {name: KAFKA_SASL_MECHANISM, value: {{ .root.Values.sasl.mechanism }}}
- name: KAFKA_SASL_USERNAME
  valueFrom: {secretKeyRef: {name: {{ .secret }}, key: kafka-username}}
- {name: KAFKA_SASL_PASSWORD_FILE, value: /secrets/kafka-password}
{{- if .root.Values.sasl.caSecret }}
- {name: KAFKA_SSL_CAFILE, value: /ca/ca.crt}
{{- end }}
{{- end }}
{{- end }}

{{- define "tickflow.volumes" -}}
- name: tmp
  emptyDir: {}
{{- if .secret }}
- name: secrets
  secret: {secretName: {{ .secret }}, defaultMode: 0440}
{{- end }}
{{- if and .root.Values.sasl.mechanism .root.Values.sasl.caSecret }}
- name: ca
  secret: {secretName: {{ .root.Values.sasl.caSecret }}}
{{- end }}
{{- with .root.Values.influxdb.caSecret }}
- name: influxdb-ca
  secret: {secretName: {{ . }}}
{{- end }}
{{- end }}

{{- define "tickflow.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if .secret }}
- {name: secrets, mountPath: /secrets, readOnly: true}
{{- end }}
{{- if and .root.Values.sasl.mechanism .root.Values.sasl.caSecret }}
- {name: ca, mountPath: /ca, readOnly: true}
{{- end }}
{{- if .root.Values.influxdb.caSecret }}
- {name: influxdb-ca, mountPath: /influxdb-ca, readOnly: true}
{{- end }}
{{- end }}
