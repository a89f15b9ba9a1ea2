package store

import (
	"io/fs"
	"strings"
	"testing"

	"breakwater/internal/store/storetest"

	"github.com/google/go-cmp/cmp"
)

// tables is every table with its columns in order, each as "name kind", where kind is what both engines understand by
// its type. Goose's own table, PostgreSQL's partitions and SQLite's tables of an index for text are left out.
func tables(t testing.TB, s *Store) map[string][]string {
	t.Helper()
	query := `SELECT t.name, c.name, c.type, c."notnull" OR c.pk > 0, c.pk > 0 FROM pragma_table_list t, pragma_table_info(t.name) c
		WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name <> 'goose_db_version' ORDER BY t.name, c.cid`
	if !s.Embedded() {
		query = `SELECT c.relname, a.attname, format_type(a.atttypid, NULL), a.attnotnull, coalesce(a.attnum = ANY(k.conkey), false)
			FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
			LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
			WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'goose_db_version'
			ORDER BY c.relname, a.attnum`
	}
	rows, err := s.read.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[string][]string{}
	for rows.Next() {
		var table, column, kind string
		var notNull, key bool
		if err := rows.Scan(&table, &column, &kind, &notNull, &key); err != nil {
			t.Fatal(err)
		}
		same, ok := kinds[strings.ToLower(kind)]
		if !ok {
			t.Errorf("%s.%s is of type %s, for which the test knows no counterpart on the other engine", table, column, kind)
		}
		if notNull {
			same += " not null"
		}
		if key {
			same += " key"
		}
		all[table] = append(all[table], column+" "+same)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// kinds are the types of columns on both engines, by what our Go takes and gives there.
var kinds = map[string]string{
	"text": "text", "stamp": "text", "uuid": "text", "json": "text", "jsonb": "text",
	"integer": "integer", "bigint": "integer", "boolean": "integer", // SQLite has no truth values but 0 and 1
	"real": "real", "double precision": "real",
	"blob": "bytes", "bytea": "bytes",
}

// Both engines have the same tables with the same columns in the same order, after every migration: the last as well as
// each before it.
func TestSchemasAreTheSame(t *testing.T) {
	t.Parallel()
	var names [2][]string
	for i, folder := range []fs.FS{sqliteMigrations, postgresMigrations} {
		files, err := fs.Glob(folder, "migrations/*/*.sql")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			names[i] = append(names[i], file[strings.LastIndex(file, "/")+1:])
		}
	}
	if diff := cmp.Diff(names[0], names[1]); diff != "" {
		t.Fatalf("migrations (-sqlite +postgres):\n%s", diff)
	}
	lite, server := migrated(t, "sqlite://:memory:"), migrated(t, storetest.Postgres(t))
	for i := len(names[0]); i > 0; i-- {
		// network_data has no single key on PostgreSQL: the key of a partitioned table holds what it is partitioned by.
		want, got := tables(t, lite), tables(t, server)
		for _, all := range []map[string][]string{want, got} {
			for j, column := range all["network_data"] {
				all["network_data"][j] = strings.TrimSuffix(column, " key")
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("at %s (-sqlite +postgres):\n%s", names[0][i-1], diff)
		}
		for _, s := range []*Store{lite, server} {
			if err := s.MigrateDown(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// What is sorted or looked up by range must be in the order of its bytes, whatever locale the database has.
func TestIndexedTextIsInOrderOfBytes(t *testing.T) {
	t.Parallel()
	s := migrated(t, storetest.Postgres(t))
	rows, err := s.read.Query(`SELECT DISTINCT c.relname, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey) JOIN pg_collation l ON l.oid = a.attcollation
		WHERE c.relnamespace = current_schema()::regnamespace AND c.relname <> 'goose_db_version' AND l.collname <> 'C'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		t.Errorf(`%s.%s stands in an index and is not COLLATE "C"`, table, column)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}
