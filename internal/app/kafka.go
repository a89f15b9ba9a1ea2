package app

import (
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"breakwater/internal/kafka"
)

// Kafka is how a cluster is reached, for the server and for sensors.
type Kafka struct {
	KafkaBrokers   string `name:"kafka-bootstrap-servers" env:"KAFKA_BOOTSTRAP_SERVERS" placeholder:"HOST:PORT,…" help:"Brokers of Apache Kafka: sensors send and nodes share their work through it. Empty: Kafka is not used."`
	KafkaPrefix    string `name:"kafka-topic-prefix" env:"KAFKA_TOPIC_PREFIX" placeholder:"TEXT" help:"What the names of all topics begin with, where several Breakwaters use one Kafka."`
	KafkaTLS       string `name:"kafka-tls" env:"KAFKA_TLS" default:"false" help:"true: brokers are spoken to over TLS."`
	KafkaCA        string `name:"kafka-tls-ca-file" env:"KAFKA_TLS_CA_FILE" placeholder:"FILE" help:"Certificates, in PEM, of who signs for the brokers; without it, those that this machine trusts."`
	KafkaMechanism string `name:"kafka-sasl-mechanism" env:"KAFKA_SASL_MECHANISM" placeholder:"NAME" help:"How brokers ask for the password: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. Empty: they do not."`
	KafkaUser      string `name:"kafka-username" env:"KAFKA_USERNAME" placeholder:"NAME" help:"Kafka's user."`
	KafkaPassword  string `name:"kafka-password" env:"KAFKA_PASSWORD" placeholder:"PASSWORD" help:"That user's password; better in the environment, as others see command lines."`
}

// groupName is what Kafka takes as a group's name, as far as it goes with its own tools.
var groupName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)

// On reports whether Kafka is used.
func (k *Kafka) On() bool { return k.KafkaBrokers != "" }

func (k *Kafka) brokers() []string {
	var all []string
	for b := range strings.SplitSeq(k.KafkaBrokers, ",") {
		if b = strings.TrimSpace(b); b != "" {
			all = append(all, b)
		}
	}
	return all
}

// Check says which setting is wrong, if one is. A password is not shown.
func (k *Kafka) Check() error {
	asked := k.KafkaMechanism != ""
	switch {
	case k.On() && len(k.brokers()) == 0 || kafka.CheckBrokers(k.brokers()) != nil:
		return setting("KAFKA_BOOTSTRAP_SERVERS", k.KafkaBrokers, "brokers as host:9092, separated by commas")
	case k.KafkaPrefix != "" && (!groupName.MatchString(k.KafkaPrefix) || len(k.KafkaPrefix) > 200):
		return setting("KAFKA_TOPIC_PREFIX", k.KafkaPrefix, "at most 200 letters, digits, '.', '_' and '-'")
	case !slices.Contains([]string{"", "true", "false", "1", "0"}, k.KafkaTLS):
		return setting("KAFKA_TLS", k.KafkaTLS, "true or false")
	case k.KafkaCA != "" && !isOn(k.KafkaTLS):
		return setting("KAFKA_TLS_CA_FILE", k.KafkaCA, "a file, together with KAFKA_TLS=true")
	case asked && !slices.Contains(kafka.Mechanisms, k.KafkaMechanism):
		return setting("KAFKA_SASL_MECHANISM", k.KafkaMechanism, strings.Join(kafka.Mechanisms, ", "))
	case asked != (k.KafkaUser != ""):
		return setting("KAFKA_USERNAME", k.KafkaUser, "a user's name, together with KAFKA_SASL_MECHANISM")
	case asked != (k.KafkaPassword != ""):
		shown := ""
		if k.KafkaPassword != "" {
			shown = "…"
		}
		return setting("KAFKA_PASSWORD", shown, "that user's password, together with KAFKA_SASL_MECHANISM")
	}
	return nil
}

// Open makes a line to the cluster, for a member of group.
func (k *Kafka) Open(group string, log *slog.Logger) (*kafka.Cluster, error) {
	return kafka.Open(kafka.Settings{Brokers: k.brokers(), Group: group, Prefix: k.KafkaPrefix, TLS: isOn(k.KafkaTLS), CAFile: k.KafkaCA,
		Mechanism: k.KafkaMechanism, Username: k.KafkaUser, Password: k.KafkaPassword}, log)
}
