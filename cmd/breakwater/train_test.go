package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/detect"
	"breakwater/internal/ml"
	"breakwater/internal/pipeline"
	"breakwater/internal/plant"
	"breakwater/internal/store/storetest"
)

// TestSensorTakesUpModels: a sensor that runs detects with models that were trained after it began, and the alert has them
// beside a rule.
func TestSensorTakesUpModels(t *testing.T) {
	t.Parallel()
	dir, tapped := t.TempDir(), t.TempDir()
	calm, quiet, attack := filepath.Join(dir, "calm.pcap"), filepath.Join(dir, "quiet.pcap"), filepath.Join(dir, "attack.pcap")
	record := func(path, start, duration string, more ...string) {
		must(t, program(t, dir, append([]string{"plant", "record", "--seed", "3", "--out", path, "--start", start, "--duration", duration}, more...)...))
	}
	record(calm, "2025-01-06T08:00:00Z", "35m")
	record(quiet, "2025-01-06T10:00:00Z", "10s")
	record(attack, "2025-01-06T10:00:10Z", "150s", "--attack", "port-scan@120s")
	_, url := serve(t, t.TempDir())
	must(t, program(t, dir, "replay", calm, "--facility", "north", "--learn", "300s", "--server", url))

	into := func(path string) {
		if err := os.Rename(path, filepath.Join(tapped, filepath.Base(path))); err != nil {
			t.Fatal(err)
		}
	}
	into(quiet)
	sensor := program(t, dir, "sensor", "--facility", "north", "--pcap", tapped, "--log-level", "info", "--server", url)
	said, err := sensor.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := sensor.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sensor.Process.Kill(); sensor.Wait() })
	must(t, program(t, dir, "train", "--facility", "north", "--server", url))
	models := 0
	for lines := bufio.NewScanner(said); models < 2 && lines.Scan(); { // it asks each ten seconds
		if strings.Contains(lines.Text(), "detecting with a model") {
			models++
		}
	}
	if models < 2 {
		t.Fatalf("the sensor took up %d models", models)
	}
	go io.Copy(io.Discard, said)
	into(attack)

	// The alert of the scan, as soon as both models are among its sources.
	together := func() bool {
		for _, a := range fetch(t, url+"/api/alerts?facility=north&limit=200")["alerts"].([]any) {
			names := map[string]bool{}
			for _, s := range a.(map[string]any)["sources"].([]any) {
				names[s.(map[string]any)["model_name"].(string)] = true
			}
			if names["port-scan"] && names["autoencoder"] && names["isolation-forest"] {
				return true
			}
		}
		return false
	}
	for deadline := time.Now().Add(time.Minute); !together(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no alert has the scan and both models: %v", fetch(t, url+"/api/alerts?facility=north&limit=200"))
		}
	}
}

// plantSeconds are the windows of a run of the simulated plant.
func plantSeconds(t *testing.T, o plant.Options) (windows []breakwater.Window) {
	t.Helper()
	sensor := pipeline.Sensor{FacilityID: "north", Baseline: detect.NewBaseline(), Send: func(_ context.Context, b breakwater.Batch) error {
		for _, w := range b.Windows {
			w.Raw = breakwater.RawFeatures{}
			windows = append(windows, w)
		}
		return nil
	}}
	if _, err := sensor.Run(t.Context(), plant.Packets(o)); err != nil {
		t.Fatal(err)
	}
	return windows
}

// modelSays is what a model of the first windows says of others, and how many alerts that makes.
func modelSays(t *testing.T, kind ml.Kind, learned, windows []breakwater.Window) (found []breakwater.Detection, alerts int) {
	t.Helper()
	model, _, err := (&detect.Learning{Windows: learned}).Train(t.Context(), kind)
	if err != nil {
		t.Fatal(err)
	}
	e := detect.New("north", nil, detect.NewBaseline())
	e.SetModels([]*ml.Model{model})
	for i := range windows {
		e.Window(&windows[i])
		for _, d := range e.Drain() {
			if len(found) == 0 || d.Time.Sub(found[len(found)-1].Time) > breakwater.CorrelationSpan {
				alerts++
			}
			found = append(found, d)
		}
	}
	return found, alerts
}

// TestModelsAreQuiet: models trained on four hours of the plant say hardly anything of the four hours after them, and
// speak within ten seconds of a scan.
func TestModelsAreQuiet(t *testing.T) {
	t.Parallel()
	if storetest.OnPostgres() {
		t.Skip("it needs no database")
	}
	if underRace {
		t.Skip("training and hours of traffic, one after the other: a minute")
	}
	normal := plantSeconds(t, plant.Options{Seed: 1, Duration: 8 * time.Hour})
	attacked := plantSeconds(t, plant.Options{Seed: 1, Start: plant.DefaultStart.Add(24 * time.Hour), Duration: 4 * time.Minute, Attacks: []plant.Attack{{Kind: plant.PortScan, At: 2 * time.Minute}}})
	half := len(normal) / 2
	for _, kind := range []ml.Kind{ml.Autoencoder, ml.IsolationForest} {
		if found, alerts := modelSays(t, kind, normal[:half], normal[half:]); alerts > 1 {
			t.Errorf("%s raises %d alerts in four ordinary hours, the first: %s", kind, alerts, found[0].Evidence)
		}
		found, _ := modelSays(t, kind, normal[:half], attacked)
		if len(found) == 0 || found[0].Time.Sub(attacked[120].Time) > 10*time.Second || found[0].Time.Before(attacked[120].Time) {
			t.Errorf("%s speaks of the scan %d times", kind, len(found))
		}
	}
}

// TestModelsOverADay makes the table of docs/detection.md: how many alerts models of more or less traffic raise in a day of
// three plants' ordinary work, and which attacks they speak of. It takes minutes.
func TestModelsOverADay(t *testing.T) {
	if os.Getenv("BREAKWATER_TEST_DAY") == "" || storetest.OnPostgres() {
		t.Skip("set BREAKWATER_TEST_DAY to run it")
	}
	attacks := []plant.Attack{{Kind: plant.PortScan, At: 10 * time.Minute}, {Kind: plant.UnauthorisedWrite, At: 20 * time.Minute}, {Kind: plant.FunctionScan, At: 30 * time.Minute}}
	for seed := range uint64(3) {
		normal := plantSeconds(t, plant.Options{Seed: seed + 1, Duration: 28 * time.Hour})
		day := normal[4*3600:]
		attacked := plantSeconds(t, plant.Options{Seed: seed + 1, Start: plant.DefaultStart.Add(48 * time.Hour), Duration: 40 * time.Minute, Attacks: attacks})
		for _, learned := range []int{1800, 3600, 4 * 3600} {
			for _, kind := range []ml.Kind{ml.Autoencoder, ml.IsolationForest} {
				_, alerts := modelSays(t, kind, normal[:learned], day)
				found, _ := modelSays(t, kind, normal[:learned], attacked)
				said := ""
				for _, a := range attacks {
					at := attacked[0].Time.Add(a.At)
					for _, d := range found {
						if after := d.Time.Sub(at); after >= 0 && after < 2*time.Minute {
							said += fmt.Sprintf(" %s after %s;", a.Kind, after.Round(time.Second))
							break
						}
					}
				}
				t.Logf("plant %d, %5d s learned, %-16s %d alerts in a day;%s", seed+1, learned, kind, alerts, said)
			}
		}
	}
}
