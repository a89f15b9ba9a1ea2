"""What scikit-learn makes of the same data: reads JSON {train, test, hidden, params, rate, epochs} from standard input and
writes JSON {forest, pca, params}. train and test are scaled already.

    scripts/need-python-peers installs what this needs; peers_test.go runs it.
"""
import json
import sys

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neural_network import MLPRegressor

given = json.load(sys.stdin)
train, test = np.array(given["train"]), np.array(given["test"])

forest = IsolationForest(n_estimators=1000, max_samples=256, random_state=1).fit(train)

pca = PCA(n_components=2).fit(train)
residual = test - pca.inverse_transform(pca.transform(test))


class Network(MLPRegressor):
    """Begins with the parameters that are given: weights (inputs × outputs), then biases, layer after layer."""

    def _init_coef(self, inputs, outputs, dtype):
        flat = given["params"]
        weights = np.array(flat[: inputs * outputs], dtype).reshape(inputs, outputs)
        biases = np.array(flat[inputs * outputs : (inputs + 1) * outputs], dtype)
        given["params"] = flat[(inputs + 1) * outputs :]
        return weights, biases


network = Network(
    hidden_layer_sizes=given["hidden"], activation="tanh", solver="adam", alpha=0, batch_size=len(train), shuffle=False,
    learning_rate_init=given["rate"], max_iter=given["epochs"], tol=0, n_iter_no_change=10**6,
).fit(train, train)

json.dump({
    "forest": (-forest.score_samples(test)).tolist(),
    "pca": (residual**2).mean(axis=1).tolist(),
    "params": [x for w, b in zip(network.coefs_, network.intercepts_) for x in (*w.ravel(), *b)],
}, sys.stdout)
