package breakwater

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// floors says who may import whom: a package may import those of floors below its own, and of its own floor only
// what is drawn in beside. A package that stands on no floor fails the test. docs/architecture.md draws the same.
var floors = map[string]struct {
	floor  int
	beside []string
}{
	".":                {0, nil},
	"internal/capture": {1, nil}, "internal/decode": {1, nil}, "internal/window": {1, []string{"internal/window/windowtest"}}, "internal/window/windowtest": {1, []string{"internal/window"}}, "internal/detect": {1, []string{"internal/ml"}}, "internal/live": {1, []string{"internal/redis/redistest"}},
	"internal/attack": {1, nil}, "internal/predict": {1, []string{"internal/attack"}},
	"internal/ml": {1, nil}, "internal/fl/privacy": {1, nil},
	"internal/kafka": {2, []string{"internal/kafka/kafkatest"}}, "internal/kafka/kafkatest": {2, nil},
	"internal/redis": {2, nil}, "internal/redis/redistest": {1, nil},
	"internal/store": {2, []string{"internal/store/storetest", "internal/attack/graphtest"}}, "internal/attack/graphtest": {2, []string{"internal/store"}},
	"internal/neo4j": {2, []string{"internal/store", "internal/store/storetest", "internal/attack/graphtest", "internal/neo4j/neo4jtest"}}, "internal/neo4j/neo4jtest": {2, nil},
	"internal/store/storetest": {2, nil}, "internal/client": {2, nil},
	"internal/fl": {3, nil}, "internal/fl/simulate": {3, []string{"internal/fl", "internal/plant"}},
	"internal/pipeline": {3, nil}, "internal/plant": {3, []string{"internal/pipeline"}}, "internal/eval": {3, []string{"internal/pipeline"}},
	"internal/demo":  {3, []string{"internal/pipeline", "internal/plant", "internal/fl"}},
	"internal/api":   {4, []string{"webapp"}},
	"webapp":         {4, nil},
	"internal/app":   {5, nil},
	"cmd/breakwater": {5, []string{"internal/app"}},
}

// drivers says which packages alone may import a driver or framework (matched by import path prefix).
var drivers = map[string][]string{
	"modernc.org/sqlite":                {"internal/store"},
	"github.com/jackc/pgx":              {"internal/store", "internal/store/storetest"},
	"github.com/pressly/goose":          {"internal/store"},
	"github.com/gopacket/gopacket":      {"internal/capture", "internal/decode", "internal/plant"},
	"github.com/danielgtaylor/huma":     {"internal/api"},
	"github.com/twmb/franz-go":          {"internal/kafka", "internal/kafka/kafkatest"},
	"github.com/centrifugal/centrifuge": {"internal/live"},
	"github.com/redis/rueidis":          {"internal/redis"},
	"github.com/neo4j/neo4j-go-driver":  {"internal/neo4j", "internal/neo4j/neo4jtest"},
	"github.com/expr-lang/expr":         {"internal/detect"},
	"github.com/goccy/go-yaml":          {"internal/detect", "internal/app"},
	"gonum.org/v1/gonum":                {"internal/ml"},
	"github.com/alecthomas/kong":        {"cmd/breakwater", "internal/app"},
}

func TestFloors(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != "." && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata" || name == "tools") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		pkg := filepath.ToSlash(filepath.Dir(path))
		self, ok := floors[pkg]
		if !ok {
			t.Errorf("%s: package %s stands on no floor; give it one in floors_test.go", path, pkg)
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			if to, inside := within(imported); inside {
				other, ok := floors[to]
				// A test may look at its own package from outside and, like a command, use whatever lies below.
				if ok && to != pkg && other.floor >= self.floor && !slices.Contains(self.beside, to) {
					t.Errorf("%s (floor %d) imports %s (floor %d): arrows go down only", path, self.floor, to, other.floor)
				}
				if pkg == "." && !strings.HasSuffix(path, "_test.go") {
					t.Errorf("%s imports %s: the root imports the standard library only", path, imported)
				}
				continue
			}
			if pkg == "." && strings.Contains(imported, ".") {
				t.Errorf("%s imports %s: the root imports the standard library only", path, imported)
			}
			for driver, owners := range drivers {
				if (imported == driver || strings.HasPrefix(imported, driver+"/")) && !slices.Contains(owners, pkg) {
					t.Errorf("%s imports %s: only %s may", path, imported, strings.Join(owners, ", "))
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// within turns an import path of this module into the package's folder.
func within(path string) (string, bool) {
	if path == "breakwater" {
		return ".", true
	}
	return strings.CutPrefix(path, "breakwater/")
}
