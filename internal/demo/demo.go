// Package demo plays the simulated plants through the way of the data, and says what it expected of that and what was found.
//
//	                 ┌ history, as fast as it goes ┐┌ the intruder, at the data's pace ┐
//	plant.Packets ───┴─────────────────────────────┴┴─────────────────────────────────┴─► pipeline.Server.Run ─► store
//	                                                                                                              │
//	Start, Status, Reset ◄─► runs, kept in the store ◄── expected against found, each second ◄── alerts, predictions
//
// It knows the scenarios (scenario.go), how they are played and told of (runner.go, play.go, tell.go), how the five plants
// train together (round.go), and the seed data (seed.go). It writes no alert, no prediction and no round: it hands packets
// to the way of the data and asks the coordinator for a round, and the rest follows, or it does not and the run fails.
//
// A facility is played by one at a time. A run at a facility begins by forgetting the alerts that the run before left
// there, so that the same scenario has the same outcome each time. All data times of a run count from one whole second:
// the same run gives the same detections at the same moments after it.
package demo
