"""Work done at once leaves linear algebra on one thread, whoever comes and goes."""

import threading

from threadpoolctl import threadpool_info, threadpool_limits

from borderrisk.model.estimators.threads import map_fits, one_thread


def blas_threads():
    return {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}


def test_no_job_sets_back_the_limit_of_another():
    first_in, second_in, first_out = (threading.Event() for _ in range(3))

    def first():
        with one_thread():
            first_in.set()
            assert second_in.wait(5)
        first_out.set()

    def second():
        assert first_in.wait(5)
        with one_thread():
            second_in.set()
            assert first_out.wait(5)
            return blas_threads()

    with threadpool_limits(2, user_api="blas"):
        assert blas_threads() == {2}
        _, seen = map_fits(lambda job: job(), [first, second], workers=2)
        assert (seen, blas_threads()) == ({1}, {2})
