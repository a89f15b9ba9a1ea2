"""A client of Breakwater's federation in numpy: python federation_client.py SERVER ID ROWS.csv
ROWS.csv holds a row for each second: its numbers in the order of the server's shape.features, separated by commas."""
import json, struct, sys, time, urllib.request, zlib
import numpy as np

server, name, path = sys.argv[1:4]
rows = np.loadtxt(path, delimiter=",")

def ask(method, path, body=None, kind="application/json"):
    return urllib.request.urlopen(urllib.request.Request(server + path, body, {"Content-Type": kind}, method=method)).read()

def layers(params, shape):  # views of each layer: a row of weights for each input, then the biases
    inputs = [len(shape["features"]) * shape["context"]["blocks"], *shape["hidden"]]
    ends = np.cumsum([(i + 1) * outputs for i, outputs in zip(inputs, inputs[1:] + inputs[:1])])
    return [part.reshape(i + 1, -1) for i, part in zip(inputs, np.split(params, ends))]

def parameters(version):
    message = ask("GET", f"/api/fl/parameters/{version}")
    assert message[:8] == b"BWPARAM\x01" and struct.unpack("<II", message[8:16]) == (len(message) // 4 - 4, zlib.crc32(message[16:]))
    return np.frombuffer(message, "<f4", offset=16).astype(float)

def forward(net, x):  # what goes into each layer, with a 1 for the biases, and what comes out of the last
    inputs = []
    for n, layer in enumerate(net):
        inputs.append(np.c_[np.tanh(x) if n else x, np.ones(len(x))])
        x = inputs[-1] @ layer
    return inputs, x

def parts(shape):  # vectors of block means, scaled: 70 % to train on, 15 % to set the threshold by, 15 % held out
    blocks, stride = shape["context"]["blocks"], shape["context"]["stride"]
    x = np.lib.stride_tricks.sliding_window_view(rows, blocks * stride, 0)
    x = x.reshape(len(x), -1, blocks, stride).mean(3).transpose(0, 2, 1).reshape(len(x), -1)
    cuts = [len(x) * 7 // 10, len(x) * 85 // 100]
    middle, spread = x[:cuts[0]].mean(0), x[:cuts[0]].std(0)
    return np.split(np.clip((x - middle) / np.where(spread > 0, spread, 1), -50, 50), cuts)

def train(task):  # Adam on the mean squared error; gives the message with the change of the parameters
    lesson, x, begin = task["training"], parts(task["shape"])[0], parameters(task["base_version"])
    params, grad, m, v, step = begin.copy(), np.zeros_like(begin), 0, 0, 0
    net, slopes = layers(params, task["shape"]), layers(grad, task["shape"])
    for batch in (b for _ in range(lesson["epochs"]) for b in np.array_split(np.random.permutation(x), -(-len(x) // lesson["batch"]))):
        inputs, out = forward(net, batch + lesson["input_noise"] * np.random.randn(*batch.shape))
        delta = 2 * (out - batch) / batch.size
        for n in reversed(range(len(net))):
            slopes[n][:], delta = inputs[n].T @ delta, (delta @ net[n].T * (1 - inputs[n] ** 2))[:, :-1]
        step, g = step + 1, grad + lesson["proximal"] * (params - begin)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g ** 2
        params -= lesson["rate"] * (m / (1 - 0.9 ** step)) / (np.sqrt(v / (1 - 0.999 ** step)) + 1e-8)
    clip = min(1, (lesson["clipping_norm"] or np.inf) / np.linalg.norm(params - begin))
    body = (clip * (params - begin)).astype("<f4").tobytes()
    return b"BWPARAM\x01" + struct.pack("<II", len(body) // 4, zlib.crc32(body)) + body

def evaluate(task):  # both parameters on the held-out part; found is what is over the threshold
    _, usual, held = parts(task["shape"])
    fake = held + 4 * np.eye(held.shape[1])[np.arange(len(held)) % rows.shape[1] - rows.shape[1]]
    report = {"held_out": len(held), "injected": len(fake), "attacks": 0, "attacks_found_before": 0, "attacks_found": 0}
    for version, suffix in (task["base_version"], "_before"), (task["candidate_version"], ""):
        score = lambda x, net=layers(parameters(version), task["shape"]): ((forward(net, x)[1] - x) ** 2).mean(1)
        over = lambda x: int((score(x) > np.quantile(score(usual), 0.999)).sum())
        report |= {"loss" + suffix: score(held).mean(), "false_alarms" + suffix: over(held), "injected_found": over(fake)}
    return json.dumps(report).encode()

while True:
    task = json.loads(ask("POST", "/api/fl/join", json.dumps({"id": name, "facility_id": name, "examples": len(rows)}).encode()))
    if task["do"] == "train":
        ask("PUT", f"/api/fl/rounds/{task['round_id']}/updates/{name}?examples={min(len(rows), 20000)}", train(task), "application/octet-stream")
    elif task["do"] == "evaluate":
        ask("PUT", f"/api/fl/rounds/{task['round_id']}/evaluations/{name}", evaluate(task))
    time.sleep(min(task["ask_again_seconds"], 1))
