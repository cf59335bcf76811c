import numpy as np
import pytest

from ecomrec_django.learning.images.optimizer import AveragedAdamW

SETTINGS = {"steps": 20, "rate": 0.1, "decay": 0.3, "average": 0.5}


@pytest.fixture
def variables():
    """A kernel, a bias and something that the network changes itself."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    return [tf.Variable(rng.normal(size=shape).astype(np.float32)) for shape in ((3, 2), (2,), (2,))]


def gradients(step):
    rng = np.random.default_rng([1, step])
    return [rng.normal(size=shape).astype(np.float32) for shape in ((3, 2), (2,))]


def test_steps_are_those_of_keras(variables):
    import keras

    kernel, bias, other = variables
    theirs = [keras.Variable(kernel.numpy(), name="kernel"), keras.Variable(bias.numpy(), name="bias")]
    rate = keras.optimizers.schedules.CosineDecay(0.0, 18, warmup_target=SETTINGS["rate"], warmup_steps=2)
    adam = keras.optimizers.AdamW(rate, weight_decay=SETTINGS["decay"])
    adam.exclude_from_weight_decay(var_names=["bias"])
    adam.build(theirs)
    optimizer = AveragedAdamW([kernel, bias], [other], **SETTINGS)
    for step in range(SETTINGS["steps"]):
        adam.apply(gradients(step), theirs)
        optimizer.apply(gradients(step))
    np.testing.assert_allclose(kernel, theirs[0].numpy(), rtol=1e-4)
    np.testing.assert_allclose(bias, theirs[1].numpy(), rtol=1e-4)


def test_the_mean_follows_all_variables(variables):
    kernel, bias, other = variables
    optimizer = AveragedAdamW([kernel, bias], [other], **SETTINGS)
    mean = optimizer.mean.numpy()
    for step, decay in enumerate((2 / 11, 3 / 12, 4 / 13)):
        other.assign_add(np.ones(2, np.float32))
        optimizer.apply(gradients(step))
        mean = decay * mean + (1 - decay) * optimizer.weights().numpy()
    np.testing.assert_allclose(optimizer.mean, mean, rtol=1e-5)
    np.testing.assert_array_equal(optimizer.weights()[-2:], other)


def test_a_restored_state_goes_on_as_if_it_had_never_ended(variables):
    optimizer = AveragedAdamW(variables[:2], variables[2:], **SETTINGS)
    optimizer.apply(gradients(0))
    state = optimizer.state()
    optimizer.apply(gradients(1))
    expected = optimizer.state()
    optimizer.apply(gradients(2))
    optimizer.restore(state)
    optimizer.apply(gradients(1))
    for name, vector in optimizer.state().items():
        np.testing.assert_array_equal(vector, expected[name])
