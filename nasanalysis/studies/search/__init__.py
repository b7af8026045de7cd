"""Items about searches: what an algorithm finds with a fitness, judged by the truth."""
