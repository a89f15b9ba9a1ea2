package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"breakwater"
	"breakwater/internal/detect"
	"breakwater/internal/ml"
)

// modelsEvery is how often, in seconds of data, a sensor in this process asks the store which models are active, and which
// baseline: so it follows a training, a round of the federation, a rollback and what an analyst taught alike, whichever node
// they happened on.
const modelsEvery = 10

// modelsAtWork follows the active models and the baseline of one facility.
type modelsAtWork struct {
	server   *Server
	facility string
	versions map[string]int64 // by kind
	baseline int              // its version
	seconds  int
}

// news are the models that became active since it was asked last. One that cannot be had keeps no other back.
func (w *modelsAtWork) news(ctx context.Context) (models []*ml.Model, err error) {
	active, err := w.server.Store.ActiveModels(ctx, w.facility)
	if err != nil {
		return nil, err
	}
	for _, v := range active {
		if w.versions[v.Kind] == v.Version {
			continue
		}
		m, failed := w.read(ctx, v)
		if failed != nil {
			err = failed
			continue
		}
		w.versions[v.Kind] = v.Version
		models = append(models, m)
	}
	return models, err
}

func (w *modelsAtWork) read(ctx context.Context, v breakwater.ModelVersion) (*ml.Model, error) {
	_, file, err := w.server.Store.ModelFile(ctx, v.Version)
	if err != nil {
		return nil, err
	}
	m, err := detect.ReadModel(file)
	if err != nil {
		return nil, &breakwater.Error{Kind: breakwater.Internal, Err: err,
			Message: fmt.Sprintf("the saved %s %d of facility %s cannot be read: train anew, or roll back to an older version", v.Kind, v.Version, w.facility)}
	}
	return m, nil
}

// changed is a Sensor's Changed. What cannot be had now is asked for again later: the sensor goes on with what it has.
func (w *modelsAtWork) changed(ctx context.Context) *Setup {
	if w.seconds++; w.seconds%modelsEvery != 0 {
		return nil
	}
	setup := &Setup{}
	setup.Models, _ = w.news(ctx)
	if version, err := w.server.Store.BaselineVersion(ctx, w.facility); err == nil && version != w.baseline {
		if learned, err := w.server.Baseline(ctx, w.facility); err == nil {
			setup.Baseline, w.baseline = learned, version
		}
	}
	if len(setup.Models) == 0 && setup.Baseline == nil {
		return nil
	}
	return setup
}

// Training is what models of a facility are trained on.
type Training struct {
	FacilityID string
	From, To   time.Time // data time of the windows, From included; zero: from the first on, to the last
	Kinds      []ml.Kind // none: all that detect
	Now        time.Time // wall time
	// Epoch is called as an autoencoder is trained; nil: nobody is told.
	Epoch func(ml.Kind, ml.Epoch)
}

// Train trains models on a facility's own windows, without the seconds that its alerts mark as an attack, and puts them to
// work: sensors detect with them within seconds. The same windows give the same models. The error is of kind Invalid
// where there are too few windows, and NotFound where there is no such facility; nothing is changed then.
func (s *Server) Train(ctx context.Context, t Training) ([]breakwater.ModelVersion, error) {
	if len(t.Kinds) == 0 {
		t.Kinds = []ml.Kind{ml.IsolationForest, ml.Autoencoder}
	}
	if t.To.IsZero() {
		t.To = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	windows, err := s.Store.Recent(ctx, t.FacilityID, t.From, t.To)
	if err != nil {
		return nil, err
	}
	attacks, err := s.Store.Attacks(ctx, t.FacilityID, t.From, t.To)
	if err != nil {
		return nil, err
	}
	type trained struct {
		breakwater.ModelVersion
		file []byte
	}
	var all []trained
	for _, kind := range t.Kinds {
		learning := detect.Learning{Windows: windows, Attacks: attacks}
		if t.Epoch != nil {
			learning.Epoch = func(e ml.Epoch) { t.Epoch(kind, e) }
		}
		m, learned, err := learning.Train(ctx, kind)
		if err != nil {
			return nil, err
		}
		metrics, err := json.Marshal(learned)
		if err != nil {
			return nil, err
		}
		all = append(all, trained{breakwater.ModelVersion{FacilityID: t.FacilityID, Kind: string(kind), Source: breakwater.Trained,
			Rows: int64(learned.Trained + learned.Validated), Metrics: metrics, CreatedAt: t.Now}, m.Encode()})
	}
	var kept []breakwater.ModelVersion
	for _, m := range all {
		version, created, err := s.Store.SaveModel(ctx, m.ModelVersion, m.file)
		if err == nil && !created && !version.Active { // who trains anew wants it at work, even where it was rolled back
			version, _, err = s.Store.ActivateModel(ctx, version.Version)
		}
		if err != nil {
			return kept, err
		}
		kept = append(kept, version)
	}
	return kept, nil
}
