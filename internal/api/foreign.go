package api

import (
	"time"

	"breakwater"
)

// What other systems put on topics is what they would report to the routes of the same nouns. These give what a listener is
// told of it, where it is not kept. Errors are of kind Invalid.

// ForeignAlert is the alert of a text that POST /api/alerts takes.
func ForeignAlert(text []byte) (*breakwater.Alert, error) {
	var b reportedAlert
	if err := decodeForeign(text, &b); err != nil {
		return nil, err
	}
	a, err := b.alert()
	if err == nil {
		a.Version = 1
	}
	return a, err
}

// ForeignPrediction is the prediction of a text that POST /api/predictions takes.
func ForeignPrediction(text []byte) (*breakwater.Prediction, error) {
	var b reportedPrediction
	if err := decodeForeign(text, &b); err != nil {
		return nil, err
	}
	p, err := b.prediction()
	if err != nil {
		return nil, err
	}
	if err := p.Check(); err != nil {
		return nil, err
	}
	p.Identify()
	p.Status, p.ExpiresAt, p.Version, p.Seen = breakwater.PredictionOpen, p.End(), 1, []string{}
	return &p, nil
}

// ForeignRound is the round of an id, as it is by a text that PUT /api/fl/rounds/{id}/progress takes.
func ForeignRound(id int64, text []byte) (*breakwater.Round, error) {
	var b reportedRound
	if err := decodeForeign(text, &b); err != nil {
		return nil, err
	}
	r, err := breakwater.NewRound(id, b.report(), now())
	if err != nil {
		return nil, err
	}
	r.Clients, r.Version = []breakwater.FLClient{}, foreignVersion()
	return r, nil
}

// ForeignEnd is a round as it ends by a text that POST /api/fl/rounds/{id}/complete takes.
func ForeignEnd(r breakwater.Round, text []byte) (*breakwater.Round, error) {
	b := reportedEnd{Status: breakwater.RoundCompleted}
	if err := decodeForeign(text, &b); err != nil {
		return nil, err
	}
	if _, err := r.End(b.Status, b.Reason, now()); err != nil {
		return nil, err
	}
	r.Version = foreignVersion()
	return &r, nil
}

// foreignVersion is the next version of what is not kept: a page shows what has a greater one than what it shows.
func foreignVersion() int { return int(time.Now().UnixMicro()) }

// ForeignClient is the client of an id, as it stands by a text that PUT /api/fl/clients/{id} takes.
func ForeignClient(id string, text []byte) (*breakwater.FLClient, error) {
	var b ClientState
	if err := decodeForeign(text, &b); err != nil {
		return nil, err
	}
	if err := breakwater.CheckFacilityID(b.FacilityID); err != nil {
		return nil, err
	}
	c := b.client(id)
	c.LastUpdate, c.Version = now(), foreignVersion()
	return &c, nil
}

func decodeForeign(text []byte, out any) error {
	if err := decodeRow(text, out); err != nil {
		return &breakwater.Error{Kind: breakwater.Invalid, Message: "it is no JSON of this kind: " + err.Error()}
	}
	return nil
}
