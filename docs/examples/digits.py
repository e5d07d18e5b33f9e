"""Search how strongly, and how fast, a linear classifier learns scikit-learn's digits."""

from sklearn import datasets, linear_model, model_selection

from search.api import Budget, Domain, search


def train(params, seed, epochs):
    x, y = datasets.load_digits(return_X_y=True)
    x, x_val, y, y_val = model_selection.train_test_split(x / 16, y, test_size=0.3, random_state=0)
    model = linear_model.SGDClassifier(learning_rate="constant", random_state=seed, **params)
    for _ in range(epochs):
        yield {"val_accuracy": model.partial_fit(x, y, classes=range(10)).score(x_val, y_val)}


space = {"alpha": Domain(low=1e-6, high=1, log=True), "eta0": Domain(low=1e-4, high=1, log=True)}
start, budget = {"alpha": 0.1, "eta0": 0.01}, Budget(num_trials=16, min_epochs=2, max_epochs=8)
found = search(train, space=space, baseline=start, budget=budget, folder="results/digits")
print(f"{found.baseline:.4f} -> {found.best.value:.4f} with {found.best.params}")
