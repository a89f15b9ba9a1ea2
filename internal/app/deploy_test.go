package app

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// secret is where compose.yaml puts one of deploy/.env in.
var secret = regexp.MustCompile(`\$\{[^}]*\}`)

// The nodes of deploy/compose.yaml are set with settings that there are, and values that a server takes.
func TestCompose(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../deploy/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct {
			Environment map[string]string
		}
		Configs map[string]struct{ Content string }
	}
	if err := yaml.Unmarshal(text, &compose); err != nil {
		t.Fatal(err)
	}
	// A page has no token to show: what it asks the nodes for, the front shows theirs with.
	if !strings.Contains(compose.Configs["front"].Content, `proxy_set_header Authorization "Bearer ${API_TOKEN}";`) {
		t.Error("the front shows the nodes no token")
	}
	for _, node := range []string{"node-1", "node-2"} {
		var c Config
		settings := map[string]reflect.Value{}
		for f := range fields() {
			v := reflect.ValueOf(&c).Elem().FieldByIndex(f.Index)
			v.SetString(f.Tag.Get("default"))
			settings[f.Tag.Get("env")] = v
		}
		environment := compose.Services[node].Environment
		if len(environment) < 8 {
			t.Errorf("%s is set with %d settings: there are four engines", node, len(environment))
		}
		for name, value := range environment {
			setting, known := settings[name]
			if !known {
				t.Errorf("%s: there is no setting %s", node, name)
				continue
			}
			setting.SetString(secret.ReplaceAllString(value, strings.Repeat("x", 32)))
		}
		if err := c.Check(); err != nil {
			t.Errorf("%s: %v", node, err)
		}
	}
}
