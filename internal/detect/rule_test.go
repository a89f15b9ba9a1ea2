package detect

import "testing"

func TestShippedRules(t *testing.T) {
	t.Parallel()
	rules, err := Shipped()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		t.Run(r.ID, func(t *testing.T) {
			t.Parallel()
			if err := r.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}
