"""What good means: rubrics, the judge's question and answer, the gate.

No Prefect, no provider, no database, and none of the other rooms: the model reaches the judge as an argument,
and what is judged arrives as `JudgeCase`, not as the pipeline's own types.
"""
