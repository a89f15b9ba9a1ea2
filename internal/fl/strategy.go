package fl

import (
	"breakwater/internal/store"
)

// Strategy is how what clients learn becomes one.
type Strategy interface {
	// Proximal is how strongly a client's training is drawn to where it began: µ.
	Proximal() float64
	// Aggregate makes one change of the parameters of several, which are as long and at least one. Where noise is added it is
	// not asked: then each client weighs the same (see fl/privacy).
	Aggregate([]store.Update) []float32
}

// strategies are all there are, by name.
var strategies = map[string]Strategy{"fedavg": FedAvg{}, "fedprox": FedProx{Mu: 0.01}}

// FedAvg is the mean of the changes, each weighing as many examples as it was made of (McMahan et al. 2017).
type FedAvg struct{}

// Proximal is 0: clients train freely.
func (FedAvg) Proximal() float64 { return 0 }

// Aggregate is the weighted mean.
func (FedAvg) Aggregate(updates []store.Update) []float32 {
	sum := make([]float64, len(updates[0].Change))
	total := 0.0
	for _, u := range updates {
		total += float64(u.Examples)
		for i, v := range u.Change {
			sum[i] += float64(u.Examples) * float64(v)
		}
	}
	mean := make([]float32, len(sum))
	for i, v := range sum {
		mean[i] = float32(v / total)
	}
	return mean
}

// FedProx is FedAvg over trainings that a proximal term holds near to the round's parameters (Li et al. 2020), for clients
// whose data differs much.
type FedProx struct {
	FedAvg
	Mu float64
}

// Proximal is µ.
func (f FedProx) Proximal() float64 { return f.Mu }
